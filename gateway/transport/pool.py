"""aiohttp's session and connector, made to say how far a request has come."""

import asyncio
from collections.abc import Callable
from socket import socket
from typing import Any, Protocol, cast
from weakref import WeakSet

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import AddrInfoType, Connection
from aiohttp.tracing import Trace
from yarl import URL

Session = aiohttp.ClientSession  # noqa: TID251 - this is what `Deps.http` is made of.

_CLOSE_S = 1.0
_FIELD_BYTES = 16 * 1024
_BUFFER_BYTES = 64 * 1024


class Waiting(Protocol):
    """Whoever waits for a connection, and hears how it goes."""

    needs_fresh: bool

    def got_place(self) -> None:
        """There is room in the pool; a connection is being made or taken."""

    def got_connection(self, transport: asyncio.Transport | None, *, is_reused: bool) -> None:
        """The request is about to be written."""


class Request(aiohttp.ClientRequest):
    """aiohttp's request, and who waits for its connection."""

    waiting: Waiting


class Connector(aiohttp.TCPConnector):
    """A bounded pool of connections.

    The bound is a semaphore of ours and aiohttp's own is off: only so can a request know whether
    it waits for a place or for the network. (And aiohttp 3.14 loses a wake-up when the waiter that
    it has just woken is cancelled.)
    """

    allowed_protocol_schema_set = frozenset({"http", "https"})

    def __init__(self, places: int, **options: Any) -> None:  # Any: TCPConnector's own options.
        super().__init__(limit=0, dns_cache_max_size=64, **options)
        self._places = asyncio.Semaphore(places)
        self._used: WeakSet[ResponseHandler] = WeakSet()

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's signature.
    ) -> Connection:
        """Wait for a place, then take or make a connection, whose release frees the place."""
        waiting = cast("Request", req).waiting  # The session makes no other kind.
        await self._places.acquire()
        try:
            waiting.got_place()
            while True:
                connection = await super().connect(req, traces, timeout)
                protocol = cast("ResponseHandler", connection.protocol)  # None once released.
                is_reused = protocol in self._used
                # A server that spoke while nothing was asked has spoiled its connection: what it
                # said would be taken for the next answer.
                if not is_reused or not (waiting.needs_fresh or protocol.should_close):
                    break
                connection.close()
        except BaseException:
            self._places.release()
            raise
        if not is_reused:
            self._used.add(protocol)
        connection.add_callback(self._places.release)
        waiting.got_connection(connection.transport, is_reused=is_reused)
        return connection


def open_session(connector: Connector, *, proxy: URL | None = None) -> Session:
    """Return a session without cookies, environment proxies and deadlines (see `Exchange`)."""
    return Session(
        connector=connector,
        request_class=Request,
        cookie_jar=aiohttp.DummyCookieJar(),
        # Identity costs no CPU, and a body that needs no inflating cannot be a bomb.
        headers={"Accept-Encoding": "identity", "User-Agent": "dynagate"},
        timeout=aiohttp.ClientTimeout(),
        trust_env=False,
        raise_for_status=False,
        proxy=proxy,
        read_bufsize=_BUFFER_BYTES,
        max_line_size=_FIELD_BYTES,
        max_field_size=_FIELD_BYTES,
    )


async def close_session(session: Session) -> None:
    """Close all connections; a peer that will not let go is left to the system after a second."""
    try:
        async with asyncio.timeout(_CLOSE_S):
            await session.close()
    except TimeoutError:
        return


def open_connector(
    places: int,
    *,
    resolver: AbstractResolver | None = None,
    keep: bool = True,
    ssl_context: Any = True,  # Any: an ssl.SSLContext, or True for the system's trust.
    socket_factory: Callable[[AddrInfoType], socket] | None = None,
) -> Connector:
    """Return a pool; with `keep` idle connections and names are kept for 15 s and 60 s."""
    kept = (
        {"keepalive_timeout": 15.0, "ttl_dns_cache": 60}
        if keep
        else {"force_close": True, "use_dns_cache": False}
    )
    return Connector(
        places,
        resolver=resolver or aiohttp.ThreadedResolver(),
        ssl=ssl_context,
        socket_factory=socket_factory,
        **kept,
    )
