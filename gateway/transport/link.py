"""A connection to an upstream: all that relies on more of aiohttp than its documented client.

aiohttp connects (names, TLS, proxies, several addresses) and parses; what is between, its session,
requests and responses, is left out: that was two thirds of what sending a small request costs
(70 µs with it, 23 without, 2026-11). What this takes for granted of aiohttp, and which tests would
show a change (they run on aiohttp as it is, over real sockets):

- `TCPConnector.connect(request, traces, timeout)` returns a `Connection`, and reads from the
  request only where to connect: all tests of a client, the proxies and TLS in `test_client.py`.
- `Connection.close` gives up the connection: `test_leaving_with_an_unread_body_…`.
- `ResponseHandler.set_response_params` begins an answer, `read` returns its head and its body,
  and a head that is informational is followed by another: `HttpAnswers`.
- `ResponseHandler.set_exception` and `StreamReader.set_exception` wake who waits:
  the timeouts of `HttpFailures`.
- `ResponseHandler.should_close` knows of unasked bytes: `test_what_a_server_says_unasked_…`.
- `StreamReader.on_eof` calls at the end, or at once after it: `test_a_body_that_was_read_…`.
- `TCPConnector._factory` makes the protocol; without it all works, for 1 µs more a piece:
  `test_a_body_that_was_never_paused_is_not_resumed`.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from socket import socket
from typing import Any, Final, cast

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import AddrInfoType, Connection
from aiohttp.http import RawResponseMessage
from yarl import URL

from gateway.transport.cork import Corks
from gateway.transport.head import request_bytes

_FIELD_BYTES: Final = 16 * 1024
_BUFFER_BYTES: Final = 64 * 1024
_ONE_WRITE_BYTES: Final = 64 * 1024
"""Up to it, copying a body behind its head is cheaper than a second write."""

_NO_BOUNDS: Final = aiohttp.ClientTimeout()
_FINAL_STATUS: Final = 200
_SWITCHING_PROTOCOLS: Final = 101


class Origin:
    """A scheme, host and port, and the way there."""

    __slots__ = ("request",)

    def __init__(self, url: URL, proxy: URL | None) -> None:
        """`url` has nothing but what makes an origin."""
        loop = asyncio.get_running_loop()
        # Never sent: the connector reads from it where to connect.
        self.request = aiohttp.ClientRequest("GET", url, loop=loop, proxy=proxy)


class Link:
    """A connection that carries one request at a time."""

    __slots__ = (
        "_connection",
        "_corks",
        "_is_large",
        "_pending",
        "_protocol",
        "idle_since",
        "is_reused",
        "origin",
    )

    def __init__(
        self, origin: Origin, connection: Connection, protocol: ResponseHandler, corks: Corks
    ) -> None:
        self.origin = origin
        self.is_reused = False
        self.idle_since = 0.0
        self._connection = connection
        self._protocol = protocol
        self._is_large = False
        self._corks = corks
        self._pending = b""

    @property
    def is_usable(self) -> bool:
        """Whether a request can be sent now.

        A server that spoke while nothing was asked has spoiled its connection: what it said would
        be taken for the next answer.
        """
        protocol = self._protocol
        return protocol.is_connected() and not protocol.should_close

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow: the answer did not forbid it, and all was sent."""
        protocol = self._protocol
        if protocol.should_close:
            return False
        transport = protocol.transport
        return transport is not None and not (self._is_large and transport.get_write_buffer_size())

    def send(self, head: bytes, method: str, body: bytes) -> None:
        """Write a request; what the system doesn't take yet is kept and sent by the loop."""
        protocol = self._protocol
        protocol.set_response_params(
            skip_payload=method == "HEAD",
            read_until_eof=True,
            read_bufsize=_BUFFER_BYTES,
            max_line_size=_FIELD_BYTES,
            max_field_size=_FIELD_BYTES,
        )
        start = request_bytes(head, method, body)
        # cast: the pool hands out what is connected, and nothing has been awaited since.
        transport = cast("asyncio.Transport", protocol.transport)
        self._is_large = len(body) > _ONE_WRITE_BYTES
        if self._is_large:
            transport.write(start)
            transport.write(body)
        else:
            self._pending = start + body
            self._corks.add(self._flush)

    def _flush(self) -> None:
        """Send what waits for the end of the loop's turn; nothing, if the link was given up."""
        pending, self._pending = self._pending, b""
        transport = self._protocol.transport
        if pending and transport is not None and not transport.is_closing():
            transport.write(pending)

    async def answer(self) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        """Wait for the final head; return it and the body."""
        while True:
            message, body = await self._protocol.read()
            if message.code >= _FINAL_STATUS or message.code == _SWITCHING_PROTOCOLS:
                return message, body

    def fail(self, error: Exception) -> None:
        """Have `answer` raise `error`."""
        self._protocol.set_exception(error)

    def close(self) -> None:
        """Let go, politely unless the peer has yet to take what it was sent."""
        self._pending = b""
        transport = self._protocol.transport
        if transport is not None and transport.get_write_buffer_size():
            self._protocol.abort()
        self._connection.close()

    def abort(self) -> None:
        """Free the socket now: a polite close waits until the peer, maybe gone, took the rest."""
        self._pending = b""
        self._protocol.abort()
        self._connection.close()

    def hang_up(self) -> asyncio.Future[None] | None:
        """Break the connection under whoever uses it; return what is done when it is gone."""
        if (transport := self._protocol.transport) is not None:
            transport.abort()
        return self._protocol.closed


class Connector(aiohttp.TCPConnector):
    """Makes connections and keeps none: for how many, and for how long, there is `Pool`."""

    def __init__(
        self,
        *,
        resolver: AbstractResolver | None = None,
        is_caching_names: bool = True,
        ssl_context: Any = True,  # Any: an ssl.SSLContext, or True for the system's trust.
        socket_factory: Callable[[AddrInfoType], socket] | None = None,
    ) -> None:
        """With `is_caching_names` addresses are kept for a minute."""
        super().__init__(
            limit=0,
            force_close=True,
            resolver=resolver or aiohttp.ThreadedResolver(),
            use_dns_cache=is_caching_names,
            ttl_dns_cache=60,
            dns_cache_max_size=64,
            ssl=ssl_context,
            socket_factory=socket_factory,
        )
        self._corks = Corks(self._loop)
        make: Callable[[asyncio.AbstractEventLoop], ResponseHandler] = _Handler
        self._factory = partial(make, self._loop)

    async def open(self, origin: Origin) -> Link:
        """Connect, and shake hands where TLS is spoken."""
        connection = await self.connect(origin.request, [], _NO_BOUNDS)
        # cast: None only once released.
        protocol = cast("ResponseHandler", connection.protocol)
        if not protocol.is_connected():
            connection.close()
            raise aiohttp.ServerDisconnectedError
        return Link(origin, connection, protocol, self._corks)


class _Handler(ResponseHandler):
    """aiohttp's, but what was not paused is not resumed.

    aiohttp 3.14 resumes after each piece that is read: the parser runs on nothing, and the
    transport is told.
    """

    is_paused = False

    def pause_reading(self) -> None:
        self.is_paused = True
        super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        if self.is_paused:
            self.is_paused = False
            super().resume_reading(resume_parser)
