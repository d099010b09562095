"""A scripted upstream on a real socket, with every fault an upstream can have.

async with FakeUpstream() as upstream:
    upstream.will(rate_limit(retry_after_s=9), reset(after=2), reply("hello"))
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

import orjson

from gateway.testing.actions import Action, Answer, Close, Hang, Hold, Pause, Reset, Send
from gateway.testing.faults import (
    error_in_stream,
    garbage,
    hang_before_head,
    hang_in_stream,
    raw,
    reset,
    truncated,
)
from gateway.testing.http_wire import UpstreamRequest, take_request
from gateway.testing.openai_documents import Tokens, models_document
from gateway.testing.script import (
    body,
    chunks,
    converse,
    empty,
    rate_limit,
    reply,
    status,
    stream,
    tool_call,
)

__all__ = [
    "Action",
    "Answer",
    "FakeUpstream",
    "Tokens",
    "UpstreamRequest",
    "body",
    "chunks",
    "converse",
    "empty",
    "error_in_stream",
    "garbage",
    "hang_before_head",
    "hang_in_stream",
    "rate_limit",
    "raw",
    "reply",
    "reset",
    "status",
    "stream",
    "tool_call",
    "truncated",
]

PATIENCE_S = 5.0
"""How long the `wait_` methods wait before they fail."""

_LINGER_ZERO = struct.pack("ii", 1, 0)
_GENERATING = (
    "/completions",
    "/embeddings",
    "/images/edits",
    "/images/generations",
    "/images/variations",
    "/moderations",
    "/audio/speech",
    "/audio/transcriptions",
    "/audio/translations",
)


class FakeUpstream:
    """Speaks the OpenAI API on loopback: `/v1/chat/completions`, `/v1/completions`, `/v1/models`.

    Each generating request takes the next answer of the script, `default` once it is used up;
    another path is a 404. `slice_bytes` cuts what is sent into writes of at most so many bytes. A
    peer that closes even its sending half counts as gone. Use it as an async context manager.
    The `wait_` methods wait `PATIENCE_S` at most.
    """

    def __init__(
        self,
        *,
        default: Answer | None = None,
        models: Sequence[str] = ("fake",),
        slice_bytes: int | None = None,
    ) -> None:
        self.default = default or reply("hello")
        self.models = models
        self.listing: Answer | None = None
        """What answers `GET /v1/models` instead of the list of `models`."""
        self.file: Answer | None = None
        """What answers a GET of `/files/…`, as a web server that callers' URLs lead to does."""
        self.slice_bytes = slice_bytes
        self.requests: list[UpstreamRequest] = []
        self.abandoned: list[UpstreamRequest] = []
        """Requests whose peer closed the connection before their answer was all sent."""
        self.accepted = 0
        """Connections ever opened."""
        self.closed = 0
        """Connections that the peer closed; those that the script ended are not counted."""
        self._script: deque[Answer] = deque()
        self._changed = asyncio.Condition()
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens, without a trailing slash: OpenAI's `base_url` is this and `/v1`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._links)

    @property
    def attempts(self) -> list[str]:
        """The models that were asked for, in order."""
        return [request.model for request in self.requests if request.path.endswith(_GENERATING)]

    def will(self, *answers: Answer) -> None:
        """Add to the script."""
        self._script.extend(answers)

    async def start(self) -> None:
        """Listen; after `stop`, on the same port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections from now on and reset those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in tuple(self._links):
            link.reset()
        await self._until(lambda: not self._links, "the connections to end")

    async def wait_requests(self, count: int = 1) -> None:
        """Wait until so many requests have come in all; raise `AssertionError` if not."""
        await self._until(lambda: len(self.requests) >= count, f"{count} requests")

    async def wait_closed(self, count: int = 1) -> None:
        """Wait until the peer has closed so many connections; raise `AssertionError` if not."""
        await self._until(lambda: self.closed >= count, f"{count} closed connections")

    async def wait_abandoned(self, count: int = 1) -> None:
        """Wait until the peer has left so many answers early; raise `AssertionError` if not."""
        await self._until(lambda: len(self.abandoned) >= count, f"{count} abandoned requests")

    async def __aenter__(self) -> Self:
        """Start listening on a free port."""
        await self.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stop listening and drop what is open."""
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        self._links.add(link)
        self.accepted += 1
        arrived: asyncio.Queue[UpstreamRequest] = asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                player = group.create_task(self._answer_all(arrived, link))
                await self._read_all(reader, arrived, link)
                player.cancel()
        finally:
            self._links.discard(link)
            writer.close()
            if not link.is_ended:
                self.closed += 1
            await self._tell()

    async def _read_all(
        self,
        reader: asyncio.StreamReader,
        arrived: asyncio.Queue[UpstreamRequest],
        link: "_Link",
    ) -> None:
        """Take requests off the connection until the peer is gone or makes no sense."""
        buffer = bytearray()
        try:
            while data := await reader.read(65536):
                buffer += data
                while (request := take_request(buffer)) is not None:
                    self.requests.append(request)
                    arrived.put_nowait(request)
                    await self._tell()
        except ConnectionError:
            return
        except ValueError:
            link.reset()

    async def _answer_all(self, arrived: asyncio.Queue[UpstreamRequest], link: "_Link") -> None:
        while not link.is_ended:
            request = await arrived.get()
            is_whole = False
            try:
                for action in self._answer(request)(request):
                    await self._play(action, link)
                is_whole = True
            except ConnectionError:
                return
            finally:
                if not is_whole and not link.is_ended:
                    self.abandoned.append(request)
            if request.headers.get("connection", "").lower() == "close":
                link.close()

    def _answer(self, request: UpstreamRequest) -> Answer:
        path = request.path.partition("?")[0]
        if request.method == "GET" and path == "/v1/models":
            return self.listing or body(orjson.dumps(models_document(self.models)))
        if request.method == "GET" and path.startswith("/files/") and self.file is not None:
            return self.file
        if not path.endswith(_GENERATING):
            return status(404, f"there is no {path}")
        if request.method != "POST":
            return status(405, "use POST", headers={"allow": "POST"})
        return self._script.popleft() if self._script else self.default

    async def _play(self, action: Action, link: "_Link") -> None:
        match action:
            case Send(data):
                await link.send(data, self.slice_bytes or max(1, len(data)))
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Hold(event):
                await event.wait()
            case Hang():
                await asyncio.Event().wait()
            case Reset():
                link.reset()
            case Close():
                link.close()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _until(self, is_so: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S), self._changed:
                await self._changed.wait_for(is_so)
        except TimeoutError:
            msg = (
                f"waited {PATIENCE_S:g} s for {what}: saw {len(self.requests)} requests, "
                f"{len(self.abandoned)} abandoned, {self.closed} connections closed by the peer "
                f"and {self.open} still open"
            )
            raise AssertionError(msg) from None


class _Link:
    """One connection, and whether it is we who ended it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.is_ended = False

    async def send(self, data: bytes, slice_bytes: int) -> None:
        for start in range(0, len(data), slice_bytes):
            if self._writer.is_closing():
                raise ConnectionResetError  # uvloop's would be a RuntimeError.
            self._writer.write(data[start : start + slice_bytes])
            await self._writer.drain()
            # Lets the reader run, so that slices are not joined again before they are read.
            await asyncio.sleep(0)

    def close(self) -> None:
        self.is_ended = True
        self._writer.close()

    def reset(self) -> None:
        self.is_ended = True
        link = self._writer.get_extra_info("socket")
        if link.fileno() >= 0:  # The peer may have been faster.
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._writer.transport.abort()
