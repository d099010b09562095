"""The callers: connections that ask, and that refuse an answer which is not whole."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import orjson

from tests.bench.upstream import DONE, IDLE_MODEL, MODEL

REQUEST_BYTES = 1024
PATIENCE_S = 60.0
"""How long answers may take after the last question: then the run has failed."""


class IncompleteError(Exception):
    """A target gave something other than a whole, good answer."""


class Caller(asyncio.Protocol):
    """One keep-alive connection with one question at a time. `frames` counts events of streams."""

    def __init__(self) -> None:
        self.frames = 0
        self._transport = asyncio.Transport()
        self._answer: asyncio.Future[int] | None = None
        self._buffer = b""
        self._has_begun = asyncio.Event()
        self._is_stream = False
        self._text = b""
        self._frames_before = 0
        self._last = b""

    def ask(self, request: bytes) -> asyncio.Future[int]:
        """Send a question; the future is the count of events in its answer, 0 for a whole one."""
        self._is_stream = False
        self._frames_before = self.frames
        self._has_begun.clear()
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    async def begun(self) -> None:
        """Wait for the first event of the stream that was asked for; raise if it fails before."""
        answer = self._answer
        assert answer is not None
        answer.add_done_callback(lambda _done: self._has_begun.set())
        await self._has_begun.wait()
        if answer.done():
            answer.result()

    def close(self) -> None:
        """Hang up, whatever is under way."""
        self._answer = None
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        # cast: uvloop's transports are not of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is under way."""
        self._fail("the connection was closed in the middle of an answer")

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._buffer += data
        try:
            if self._is_stream or self._read_head():
                self._read_chunks()
        except ValueError as error:
            self._fail(str(error))

    def _read_head(self) -> bool:
        """Return whether a stream has begun; a whole answer is taken here."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._buffer[:end].lower()
        if not head.startswith(b"http/1.1 200"):
            raise ValueError(self._buffer[:600].decode("utf-8", "replace"))
        if b"\r\ntransfer-encoding: chunked" in head:
            self._is_stream = True
            self._buffer = self._buffer[end + 4 :]
            return True
        size = int(head.partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0])
        if len(self._buffer) >= end + 4 + size:
            body = self._buffer[end + 4 :]
            if len(body) != size or b'"finish_reason":"stop"' not in body:
                msg = "an answer that the upstream did not give"
                raise ValueError(msg)
            self._finish(0)
        return False

    def _read_chunks(self) -> None:
        buffer, at = self._buffer, 0
        is_last = False
        while (line := buffer.find(b"\r\n", at)) >= 0:
            size = int(buffer[at:line], 16)
            if len(buffer) < line + 4 + size:
                break
            self._text += buffer[line + 2 : line + 2 + size]
            at = line + 4 + size
            if size == 0:
                is_last = True
                break
        self._buffer = buffer[at:]
        self._count()
        if is_last:
            if self._last != DONE or self._text or self._buffer:
                msg = "a stream that ends without [DONE]"
                raise ValueError(msg)
            self._finish(self.frames - self._frames_before)

    def _count(self) -> None:
        *frames, self._text = self._text.split(b"\n\n")
        if frames:
            self.frames += len(frames)
            self._last = frames[-1]
            self._has_begun.set()

    def _finish(self, frames: int) -> None:
        self._buffer = b""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(frames)

    def _fail(self, message: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(IncompleteError(message))


@asynccontextmanager
async def callers(port: int, count: int) -> AsyncGenerator[Sequence[Caller]]:
    """Connect so many callers to `port`; they hang up at the end."""
    loop = asyncio.get_running_loop()
    connected: list[Caller] = []
    try:
        for _ in range(count):
            _, caller = await loop.create_connection(Caller, "127.0.0.1", port)
            connected.append(caller)
        yield connected
    finally:
        for caller in connected:
            caller.close()


async def closed_loop(connected: Sequence[Caller], request: bytes, seconds: float) -> int:
    """Have each caller ask, one question after the other; return how many were answered."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds

    async def ask_on(caller: Caller) -> int:
        answers = 0
        while loop.time() < until:
            await caller.ask(request)
            answers += 1
        return answers

    async with asyncio.timeout(seconds + PATIENCE_S):
        return sum(await asyncio.gather(*map(ask_on, connected)))


def question(port: int, *, tokens: int | None = None, is_idle: bool = False) -> bytes:
    """Return a request of `REQUEST_BYTES` of JSON; without `tokens` for a whole answer."""
    document: dict[str, object] = {"model": IDLE_MODEL if is_idle else MODEL}
    if tokens is not None:
        options = {"include_usage": True}
        document |= {"stream": True, "stream_options": options, "max_tokens": tokens}
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": ""}]
    document["messages"] = turns
    turns[-1]["content"] = "?" * (REQUEST_BYTES - len(orjson.dumps(document)))
    body = orjson.dumps(document)
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
