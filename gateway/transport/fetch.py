"""`Deps.fetch`: GET for callers' URLs, guarded at every hop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from socket import socket
from types import TracebackType
from typing import Final

from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType
from yarl import URL

from gateway.sdk.http import NO_HEADERS, HttpClient, HttpError, HttpResponse, Timeouts
from gateway.sdk.providers import Clock
from gateway.transport.alarm import Alarms
from gateway.transport.exchange import Exchange
from gateway.transport.faults import RefusedError
from gateway.transport.guard import Guard
from gateway.transport.link import Connector
from gateway.transport.pool import Pool

MAX_REDIRECTS: Final = 3
TOTAL_S: Final = 30.0
"""For all hops and the body together, when the call sets no earlier deadline."""

_PLACES: Final = 64
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FORWARDED: Final = frozenset({"accept", "accept-language", "range"})
"""The headers that a stranger's server may see; above all no credential and no cookie."""


@asynccontextmanager
async def connect_fetch(
    allow: Sequence[str],
    *,
    clock: Clock,
    body_bytes: int = 10 * 1024 * 1024,
    resolver: AbstractResolver | None = None,
) -> AsyncIterator[HttpClient]:
    """Give out the client for callers' URLs; leaving closes it.

    `allow` is `egress.allow`; a malformed entry is a ValueError that names it. `body_bytes` caps
    `read`. No connection, name or cookie outlives a request: a fetch tells the next caller nothing.
    """
    connector = Connector(
        resolver=resolver, is_caching_names=False, socket_factory=_guarded(Guard(allow))
    )
    alarms = Alarms(asyncio.get_running_loop())
    pool = Pool(connector, _PLACES, is_kept=False)
    try:
        yield _Fetch(pool, alarms, clock, body_bytes)
    finally:
        alarms.close()
        await pool.close()


class _Fetch:
    """Starts guarded GETs on one pool."""

    def __init__(self, pool: Pool, alarms: Alarms, clock: Clock, body_bytes: int) -> None:
        self._pool = pool
        self._alarms = alarms
        self._clock = clock
        self._body_bytes = body_bytes

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes = b"",
        timeouts: Timeouts | None = None,
        deadline: float | None = None,
        replay: bool = False,
    ) -> AbstractAsyncContextManager[HttpResponse]:
        """See `HttpClient.request`; follows up to 3 redirects.

        Of `headers` only those a stranger may see are sent. `replay` means nothing, as nothing is
        kept alive. Raises ValueError unless it is a GET without a body.
        """
        if method != "GET" or body:
            msg = "callers' URLs are only ever fetched: GET, without a body"
            raise ValueError(msg)
        total_s = TOTAL_S if deadline is None else min(TOTAL_S, deadline - self._clock.monotonic())
        last = self._alarms.now() + total_s
        seen = {name: value for name, value in headers.items() if name.lower() in _FORWARDED}

        def hop(target: str) -> Exchange:
            return Exchange(
                self._pool,
                self._alarms,
                ("GET", target, seen, b""),
                bounds=timeouts or Timeouts(),
                last=last,
                body_bytes=self._body_bytes,
            )

        return _Fetched(url, hop)


class _Fetched:
    """A GET and the redirects that it leads to; enters at the head of the last."""

    def __init__(self, url: str, hop: Callable[[str], Exchange]) -> None:
        self._url = url
        self._hop = hop
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> HttpResponse:
        url = _checked(self._url)
        for number in range(MAX_REDIRECTS + 1):
            async with AsyncExitStack() as stack:
                try:
                    response = await stack.enter_async_context(self._hop(str(url)))
                except HttpError as error:
                    error.unsent = error.unsent and number == 0
                    raise
                location = response.headers.get("location")
                if response.status not in _REDIRECTS or location is None:
                    self._opened = stack.pop_all()
                    return response
            url = _joined(url, location)
        msg = f"{url.origin()}: more than {MAX_REDIRECTS} redirects"
        raise HttpError(msg, phase="head", unsent=False)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._opened.__aexit__(kind, error, trace)


def _guarded(guard: Guard) -> Callable[[AddrInfoType], socket]:
    def make(info: AddrInfoType) -> socket:
        family, kind, proto, _, address = info
        try:
            guard.check(address[0], address[1])
        except HttpError as error:
            raise RefusedError(str(error)) from None
        return socket(family, kind, proto)

    return make


def _checked(url: str) -> URL:
    """Return `url` parsed; raise `HttpError`, phase `guard`, unless it is plain http or https."""
    with suppress(ValueError):
        parsed = URL(url)
        is_web = parsed.scheme in {"http", "https"} and bool(parsed.host)
        if is_web and parsed.user is None and parsed.password is None:
            return parsed
    msg = "only http and https URLs without a user name may be fetched"
    raise HttpError(msg, phase="guard", unsent=True)


def _joined(base: URL, location: str) -> URL:
    try:
        target = str(base.join(URL(location)))
    except ValueError:
        msg = f"{base.origin()}: redirected to what is not a URL"
        raise HttpError(msg, phase="head", unsent=False) from None
    try:
        return _checked(target)
    except HttpError as error:
        error.unsent = False
        raise
