"""What stands between a browser and the gateway: pages of other sites, and a line that breaks."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

PAGE = """<!doctype html><title>a reader</title><body></body><script>
"use strict";
const feeds = {};
function read(name, url) {
  const source = new EventSource(url);
  const feed = feeds[name] = {source, events: [], ids: [], opened: 0, errors: 0};
  source.onopen = () => { feed.opened += 1; };
  source.onerror = () => { feed.errors += 1; };
  source.onmessage = (event) => {
    feed.ids.push(event.lastEventId);
    feed.events.push(JSON.parse(event.data));
  };
}
function show(url) {
  return new Promise((resolve) => {
    const picture = new Image();
    picture.onload = () => resolve([picture.naturalWidth, picture.naturalHeight]);
    picture.onerror = () => resolve(null);
    picture.src = url;
    document.body.append(picture);
  });
}
</script>"""


@asynccontextmanager
async def serve_page() -> AsyncGenerator[int]:
    """Serve the page on a port of its own, whatever name a browser calls it by."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/{any:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server:
        assert server.port is not None
        yield server.port


class Line:
    """Passes on what comes, to a port of this machine and back, until it is cut.

    `heads` are the requests that opened a connection, in lower case.
    """

    def __init__(self, port: int) -> None:
        self.heads: list[str] = []
        self.is_cut = asyncio.Event()
        self._port = port
        self._is_to_cut = False

    def cut_in_next_event(self) -> None:
        """End the next connection that an event comes on, in the middle of that event."""
        self._is_to_cut = True
        self.is_cut.clear()

    async def connected(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        self.heads.append(head.decode().lower())
        answers, asked = await asyncio.open_connection("127.0.0.1", self._port)
        asked.write(head)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._ask(reader, asked))
                both.create_task(self._answer(answers, writer))
        except* ConnectionError:
            pass
        finally:
            asked.close()
            writer.close()

    async def _ask(self, reader: StreamReader, writer: StreamWriter) -> None:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        writer.close()

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        while piece := await reader.read(65536):
            if self._is_to_cut and b"data: " in piece:
                self._is_to_cut = False
                writer.write(piece[: len(piece) // 2])
                self.is_cut.set()
                break
            writer.write(piece)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def lay_line(port: int) -> AsyncGenerator[tuple[Line, int]]:
    """Put a line in front of `port`; gives it and the port that it is reached by."""
    line = Line(port)
    server = await asyncio.start_server(line.connected, "127.0.0.1", 0)
    async with server:
        yield line, server.sockets[0].getsockname()[1]
