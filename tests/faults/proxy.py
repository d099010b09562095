"""A proxy between a gateway and its upstream that breaks connections as networks do."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["none", "reset", "silent"]
_RST = struct.pack("ii", 1, 0)
"""SO_LINGER with zero seconds: closing sends a reset."""


class FaultyProxy:
    """Passes bytes on; what `fault` says happens to new connections, `slice_bytes` to answers.

    `reset` breaks a connection as soon as it is there, `silent` takes what comes and says nothing.
    """

    def __init__(self, upstream_port: int) -> None:
        self.fault: Fault = "none"
        self.slice_bytes: int | None = None
        self.latency_s = 0.0
        """Before each piece of an answer."""
        self.port = 0
        self.is_hole = False
        """Nothing passes any more, on any connection, and no end is told: a pulled cable."""
        self.opened = 0
        self._upstream_port = upstream_port
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections its client has not closed."""
        return len(self._writers)

    def reset_all(self) -> None:
        """Break every connection to the client."""
        for writer in tuple(self._writers):
            _reset(writer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Stand in the middle of one connection."""
        self.opened += 1
        if self.fault == "reset":
            _reset(writer)
            return
        self._writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            if self.fault == "silent":
                while await reader.read(65536):
                    pass
                return
            back, upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
            answers = asyncio.ensure_future(self._answers(back, writer))
            try:
                while data := await reader.read(65536):
                    if not self.is_hole:
                        upstream.write(data)
                        await upstream.drain()
            finally:
                answers.cancel()
        except ConnectionError:
            return
        finally:
            self._writers.discard(writer)
            for one in (writer, upstream):
                if one is not None:
                    one.transport.abort()

    async def _answers(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await back.read(65536):
                size = self.slice_bytes or len(data)
                for start in range(0, len(data), size):
                    if self.latency_s:
                        await asyncio.sleep(self.latency_s)
                    if self.is_hole:
                        continue
                    writer.write(data[start : start + size])
                    await writer.drain()
                    # Lets the reader run, so that slices are not joined again.
                    await asyncio.sleep(0)
            if not self.is_hole:
                writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    link = writer.get_extra_info("socket")
    if link.fileno() >= 0:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
    writer.transport.abort()


@asynccontextmanager
async def faulty_proxy(upstream_url: str) -> AsyncGenerator[FaultyProxy]:
    """Listen before the upstream; what is open is dropped at the end."""
    proxy = FaultyProxy(urlsplit(upstream_url).port or 0)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.reset_all()


def refusing_port() -> socket.socket:
    """Return a socket whose port is taken and refuses every connection; the caller closes it."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken
