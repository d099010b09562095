"""A server on loopback that is scripted byte by byte, for what no HTTP library would send."""

import asyncio
import re
import socket
import struct
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal, cast

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf!"
"""A head that promises ten bytes, and five of them."""
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RST = struct.pack("ii", 1, 0)
"""SO_LINGER with zero seconds: closing sends a reset."""


class Peer:
    """The client's end of one connection, as the server sees it."""

    def __init__(self, server: "RawServer", reader: StreamReader, writer: StreamWriter) -> None:
        self.server = server
        self.number = len(server.peers) + 1
        self.gone = asyncio.Event()
        self._reader = reader
        self._writer = writer

    async def ask(self) -> bytes:
        """Return the next request whole, after noting it in `RawServer.asked`; b"" if none came."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            found = _LENGTH.search(head)
            body = await self._reader.readexactly(int(found[1])) if found else b""
        except (IncompleteReadError, ConnectionError):
            return b""
        self.server.asked.append(head + body)
        return head + body

    async def send(self, *pieces: bytes) -> None:
        """Write each piece by itself, so that each may arrive by itself."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(0)

    async def wait_gone(self) -> None:
        """Hang until the client closes."""
        with suppress(ConnectionError):
            while await self._reader.read(65536):
                pass

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        sock = cast("socket.socket", self._writer.get_extra_info("socket"))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
        self.abort()

    async def close(self) -> None:
        """Let go, politely if the client still listens."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Let go at once."""
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]
"""What the server does with one connection; when it returns the connection is closed."""


class RawServer:
    """What came in, and over which connections."""

    def __init__(self, listener: asyncio.Server) -> None:
        self._listener = listener
        self.port: int = listener.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.asked: list[bytes] = []
        self.peers: list[Peer] = []

    def refuse(self) -> None:
        """Take no more connections; those that are open stay."""
        self._listener.close()


@asynccontextmanager
async def raw_server(script: Script) -> AsyncIterator[RawServer]:
    """Listen on a free port of 127.0.0.1 and run `script` for each connection."""
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        running.add(task)
        peer = Peer(server, reader, writer)
        server.peers.append(peer)
        try:
            with suppress(ConnectionError):
                await script(peer)
            await peer.close()
        finally:
            peer.gone.set()
            running.discard(task)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    server = RawServer(listener)
    try:
        yield server
    finally:
        server.refuse()
        for peer in server.peers:
            peer.abort()
        if running:
            await asyncio.wait(running)


def answer(*pieces: bytes) -> Script:
    """Answer every request of a connection with the same pieces."""

    async def script(peer: Peer) -> None:
        while await peer.ask():
            await peer.send(*pieces)

    return script


def answer_once(*pieces: bytes, then: Literal["hang", "close", "reset"] = "hang") -> Script:
    """Answer the first request, then hang until the client closes, close, or reset."""

    async def script(peer: Peer) -> None:
        if not await peer.ask():
            return
        await peer.send(*pieces)
        if then == "hang":
            await peer.wait_gone()
        elif then == "reset":
            peer.reset()

    return script


def die_when_reused(*pieces: bytes, then: Literal["close", "reset"] = "close") -> Script:
    """Answer `OK` once and keep alive; asked again, send `pieces` and close or reset."""

    async def script(peer: Peer) -> None:
        await peer.ask()
        await peer.send(OK)
        if await peer.ask():
            await peer.send(*pieces)
            if then == "reset":
                peer.reset()

    return script
