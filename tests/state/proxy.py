"""A network between a gateway and its state server, for tests to break."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes on; `url` is where it listens."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._is_passing = asyncio.Event()
        self._is_passing.set()
        self.connections: set[asyncio.StreamWriter] = set()
        self.url = ""

    def swallow(self) -> None:
        """Let nothing through, without a word to anybody."""
        self._is_passing.clear()

    def pass_on(self) -> None:
        """Let through what waits, and what comes."""
        self._is_passing.set()

    def cut(self) -> None:
        """End every connection."""
        for writer in list(self.connections):
            writer.transport.abort()
        self.connections.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until either side ends it."""
        there, away = await asyncio.open_unix_connection(self._path)
        self.connections.add(writer)
        with suppress(OSError, asyncio.CancelledError):
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._pour(reader, away)),
                    group.create_task(self._pour(there, writer)),
                ]
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    task.cancel()
        self.connections.discard(writer)
        for side in (writer, away):
            side.transport.abort()

    async def _pour(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                await self._is_passing.wait()
                target.write(data)
                await target.drain()


@asynccontextmanager
async def proxy(url: str) -> AsyncGenerator[Proxy]:
    """Listen on loopback, in front of the server of a `unix:` URL."""
    between = Proxy(urlsplit(url).path)
    server = await asyncio.start_server(between.serve, "127.0.0.1", 0)
    between.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield between
    finally:
        server.close()
        between.pass_on()
        between.cut()
        await asyncio.sleep(0)
