"""How rows ask for streams and look at what came."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import orjson

from gateway.schema.json import JsonObject
from gateway.testing.actions import Action, Answer, Send, piece
from gateway.testing.http_wire import LAST_CHUNK, UpstreamRequest, chunk, head
from gateway.testing.openai_documents import frame
from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Reply
from tests.faults.ground import Ground
from tests.faults.served import Served, chat_document, posted

STREAM_HEAD = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
ROLE: JsonObject = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
FINISH: JsonObject = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
DONE = b"data: [DONE]\n\n"
PATIENCE_S = 20.0


def word(text: str) -> JsonObject:
    """Return the chunk that says `text`."""
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


async def ask(
    served: Served, dialect: str, *, is_stream: bool = True, model: str = "openai"
) -> Reply:
    """Ask for an answer in either dialect."""
    if dialect == "openai":
        return await served.chat(stream=is_stream, model=model)
    wanted = f"user_input=hi&stream={is_stream}&model={model}"
    return await served.get(f"/api/generate_response?{wanted}")


def ways(ground: Ground) -> list[tuple[str, bool]]:
    """Return each dialect with each form of an answer: whether it is a stream."""
    return [(dialect, is_stream) for dialect in ground.dialects for is_stream in (True, False)]


def chat_stream(text: str = "hi", **fields: object) -> bytes:
    """Return the bytes that ask for a stream."""
    return posted(chat_document(text, stream=True, **fields))


def framed(*documents: JsonObject, after: Sequence[Action] = ()) -> list[Action]:
    """Begin a stream of these, and go on with `after`."""
    return [Send(STREAM_HEAD), *(piece(frame(one)) for one in documents), *after]


class Endless(Sequence[Action]):
    """A stream without end; `sent` counts the pieces that were taken."""

    def __init__(self, text: str) -> None:
        self.size = len(text)
        self.sent = 0
        self._piece = piece(frame(word(text)))

    def __len__(self) -> int:  # noqa: D105 - as of every sequence.
        return 2**62

    def __getitem__(self, index: int) -> Action:  # type: ignore[override] # noqa: D105 - not sliced.
        if index == 0:
            return Send(STREAM_HEAD)
        self.sent += 1
        return self._piece


def large(total_bytes: int, headers: dict[str, str], block: bytes) -> Answer:
    """Answer 200 with a chunked body of so many bytes, made as it is sent."""

    class Blocks(Sequence[Action]):
        def __len__(self) -> int:
            return 2 + total_bytes // len(block)

        def __getitem__(self, index: int) -> Action:  # type: ignore[override] # As above.
            if index == 0:
                return Send(head(200, {**headers, "transfer-encoding": "chunked"}))
            if index >= len(self):
                raise IndexError
            return Send(LAST_CHUNK) if index == len(self) - 1 else Send(chunk(block))

    return lambda _request: Blocks()


def by_model(answers: dict[str, Answer]) -> Answer:
    """Answer as the name of the model asks for."""

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        return answers[request.model](request)

    return answer


def echo(request: UpstreamRequest) -> Sequence[Action]:
    """Stream the caller's own words back, one a frame, or say them in one body."""
    words = str(request.document["messages"][-1]["content"]).split(" ")
    if request.is_stream:
        said = [piece(frame(word(text + " "))) for text in words]
        last = [piece(frame(FINISH)), piece(DONE), Send(LAST_CHUNK)]
        return [Send(STREAM_HEAD), *said, *last]
    message = {"role": "assistant", "content": " ".join(words)}
    document = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    body = orjson.dumps(document)
    named = {"content-type": "application/json", "content-length": str(len(body))}
    return [Send(head(200, named) + body)]


async def until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> float:
    """Wait for what has no event; return the seconds it took. Raises `TimeoutError`."""
    begun = time.perf_counter()
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110 - that is what it is for.
            await asyncio.sleep(0.001)
    return time.perf_counter() - begun


@asynccontextmanager
async def upstreams(count: int = 1) -> AsyncGenerator[list[FakeUpstream]]:
    """Start so many scripted upstreams."""
    started = [FakeUpstream() for _ in range(count)]
    try:
        for one in started:
            await one.start()
        yield started
    finally:
        for one in started:
            await one.stop()
