"""`Deps.http`: the HTTP that reaches a provider's upstream, on aiohttp's client."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from math import inf

from yarl import URL

from gateway.config.upstreams import ProviderHttp
from gateway.sdk.http import NO_HEADERS, HttpClient, HttpResponse, Timeouts
from gateway.sdk.providers import Clock
from gateway.transport.alarm import Alarms
from gateway.transport.exchange import Exchange
from gateway.transport.link import Connector
from gateway.transport.pool import Pool


@asynccontextmanager
async def connect_http(settings: ProviderHttp, *, clock: Clock) -> AsyncIterator[HttpClient]:
    """Give one provider its pool of connections; leaving closes them all.

    A request without `timeouts` is bounded only while it connects, by `settings.connect_s`. Raises
    ValueError, without the value, for a proxy or CA file that cannot be used.
    """
    proxy = None if settings.proxy is None else _proxy(settings.proxy)
    trust = True if settings.ca_file is None else await asyncio.to_thread(_trust, settings.ca_file)
    alarms = Alarms(asyncio.get_running_loop())
    pool = Pool(Connector(ssl_context=trust), settings.connections, proxy=proxy)
    try:
        yield _Client(pool, alarms, settings, clock)
    finally:
        alarms.close()
        await pool.close()


class _Client:
    """Starts exchanges on one pool."""

    __slots__ = ("_alarms", "_body_bytes", "_bounds", "_clock", "_pool")

    def __init__(self, pool: Pool, alarms: Alarms, settings: ProviderHttp, clock: Clock) -> None:
        self._pool = pool
        self._alarms = alarms
        self._clock = clock
        # The core watches the rest: the first token, silence, and the whole call.
        self._bounds = Timeouts(connect=settings.connect_s, first_byte=None, idle=None)
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
            self._pool,
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
