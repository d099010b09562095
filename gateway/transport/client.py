"""`Deps.http`: the HTTP that reaches a provider's upstream, on aiohttp's client."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from math import inf

from yarl import URL

from gateway.config.document import ProviderHttp
from gateway.sdk.http import NO_HEADERS, HttpClient, HttpResponse, Timeouts
from gateway.sdk.providers import Clock
from gateway.transport.alarm import Alarms
from gateway.transport.exchange import Exchange
from gateway.transport.pool import Session, close_session, open_connector, open_session


@asynccontextmanager
async def connect_http(settings: ProviderHttp, *, clock: Clock) -> AsyncIterator[HttpClient]:
    """Give one provider its pool of connections; leaving closes them all.

    Raises ValueError, without the value, for a proxy or CA file that cannot be used.
    """
    proxy = None if settings.proxy is None else _proxy(settings.proxy)
    trust = True if settings.ca_file is None else await asyncio.to_thread(_trust, settings.ca_file)
    alarms = Alarms(asyncio.get_running_loop())
    session = open_session(open_connector(settings.connections, ssl_context=trust), proxy=proxy)
    try:
        yield _Client(session, alarms, settings, clock)
    finally:
        alarms.close()
        await close_session(session)


class _Client:
    """Starts exchanges on one session."""

    __slots__ = ("_alarms", "_body_bytes", "_bounds", "_clock", "_session")

    def __init__(
        self, session: Session, alarms: Alarms, settings: ProviderHttp, clock: Clock
    ) -> None:
        self._session = session
        self._alarms = alarms
        self._clock = clock
        self._bounds = Timeouts(connect=settings.connect_s)
        self._body_bytes = settings.body_bytes

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
        """See `HttpClient.request`."""
        return Exchange(
            self._session,
            self._alarms,
            (method, url, headers, body),
            bounds=timeouts or self._bounds,
            last=inf
            if deadline is None
            else self._alarms.now() + deadline - self._clock.monotonic(),
            body_bytes=self._body_bytes,
            may_replay=replay,
        )


def _proxy(value: str) -> URL:
    try:
        proxy = URL(value)
    except ValueError:
        proxy = URL()
    if proxy.scheme != "http" or not proxy.host:
        msg = "http.proxy: write http://host:port or http://user:password@host:port"
        raise ValueError(msg)
    return proxy


def _trust(path: str) -> ssl.SSLContext:
    """Trust what `path` (PEM) holds and nothing else."""
    try:
        context = ssl.create_default_context(cafile=path)
    except OSError as error:
        msg = f"http.ca_file: {path} cannot be read as PEM certificates"
        raise ValueError(msg) from error
    context.set_alpn_protocols(["http/1.1"])
    return context
