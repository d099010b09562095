"""A caller on a bare socket, to send what no client library sends."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.config.listeners import Bounds
from gateway.testing.server import render_error
from gateway.web.server import Runner

PATIENCE_S = 5
"""After this a test that waits has failed; none takes as long."""

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
_LINGER_ZERO = struct.pack("ii", 1, 0)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Answer:
    """A response as it was received."""

    status: int
    headers: dict[str, str]
    body: bytes


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send `data`, or what of it is still taken."""
        self._writer.write(data)
        try:
            await self._writer.drain()
        except ConnectionError:
            return

    async def answer(self) -> Answer:
        """Return the next response, which must have a Content-Length or no body."""
        async with asyncio.timeout(PATIENCE_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
            status_line, *lines = head.strip().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines)
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
            return Answer(int(status_line.split()[1]), headers, body)

    async def until(self, mark: bytes, patience_s: float = PATIENCE_S) -> bytes:
        """Return what comes, to the end of `mark`."""
        async with asyncio.timeout(patience_s):
            return await self._reader.readuntil(mark)

    async def rest(self, patience_s: float = PATIENCE_S) -> bytes:
        """Return all that still comes; a reset is an end."""
        received = b""
        async with asyncio.timeout(patience_s):
            try:
                while data := await self._reader.read(65536):
                    received += data
            except ConnectionError:
                return received
        return received

    def half_close(self) -> None:
        """Send FIN, and go on reading."""
        self._writer.write_eof()

    def abort(self) -> None:
        """Drop the connection."""
        self._writer.transport.abort()

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        link = self._writer.get_extra_info("socket")
        if link.fileno() >= 0:  # The server may have been faster.
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.abort()


@dataclass
class Listening:
    """A runner, and callers that connect to it."""

    runner: Runner
    callers: list[Caller]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.runner.addresses[0][1])

    async def caller(self) -> Caller:
        """Connect."""
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port))
        self.callers.append(caller)
        return caller

    async def ask(self, request: bytes = GET) -> Answer:
        """Return the answer to `request` on a connection of its own."""
        caller = await self.caller()
        await caller.send(request)
        return await caller.answer()


def application(handler: Handler) -> web.Application:
    """Return an application that calls `handler` for every path."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    return app


@asynccontextmanager
async def listening(
    app: web.Application | Handler, *, drain_s: float = 0.1, **bounds: Any
) -> AsyncGenerator[Listening]:
    """Run `app` with `bounds`, on a port of its own."""
    if not isinstance(app, web.Application):
        app = application(app)
    runner = Runner(app, Bounds(**bounds), render_error=render_error, drain_s=drain_s)
    await runner.start("127.0.0.1", 0)
    server = Listening(runner, [])
    try:
        yield server
    finally:
        for caller in server.callers:
            caller.abort()
        await runner.stop()


async def happens(event: asyncio.Event) -> None:
    """Wait for `event`."""
    async with asyncio.timeout(PATIENCE_S):
        await event.wait()


async def becomes(condition: Callable[[], bool]) -> None:
    """Wait for what has no event to wait for."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  # That is what it is for.
            await asyncio.sleep(0.01)
