"""The callers of the bench take whole answers and nothing less."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.bench.load import REQUEST_BYTES, IncompleteError, callers, closed_loop, question
from tests.bench.upstream import Link, Ticker, frames_of

_SSE = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def _scripted() -> AsyncIterator[int]:
    """Run the upstream of the bench in this process; yield its port."""
    ticker = Ticker()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: Link(ticker), "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def _saying(answer: bytes) -> AsyncIterator[int]:
    """Answer the first request of each connection with these bytes, and close it."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(REQUEST_BYTES)
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_whole_answers_are_counted() -> None:
    async with _scripted() as port, callers(port, 2) as connected:
        answers = await closed_loop(connected, question(port), 0.05)

    assert answers >= 2


async def test_a_stream_is_counted_event_by_event_and_its_connection_serves_again() -> None:
    async with _scripted() as port, callers(port, 1) as (caller,):
        counts = [await caller.ask(question(port, tokens=3)) for _ in range(2)]

    assert counts == [frames_of(3)] * 2


async def test_an_idle_stream_begins_and_does_not_end() -> None:
    async with _scripted() as port, callers(port, 1) as (caller,):
        answer = caller.ask(question(port, tokens=1, is_idle=True))
        await caller.begun()

        assert not answer.done()
        assert caller.frames == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_SSE + b"9\r\ndata: 1\n\n\r\n0\r\n\r\n", id="no [DONE]"),
        pytest.param(_SSE + b"9\r\ndata: 1\n\n\r\n", id="no last chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", id="half a body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", id="another body"),
        pytest.param(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\n{}", id="an error"),
    ],
)
async def test_an_answer_that_is_not_whole_fails(answer: bytes) -> None:
    async with _saying(answer) as port, callers(port, 1) as (caller,):
        with pytest.raises(IncompleteError):
            await caller.ask(question(port, tokens=1))
