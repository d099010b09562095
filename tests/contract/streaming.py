"""What the tests of streams share: requests, frames, and pings that come sooner."""

import asyncio

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.actions import Answer, Hang, Hold, Send, piece
from gateway.testing.http_wire import head
from gateway.web.stream import EventStream, Pinger
from tests.contract.asking import Asker, Reply

CHAT_HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
CHAT_BODY = b'{"model":"openai","messages":[{"role":"user","content":"hi"}],"stream":true}'
STREAM_HEAD = head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
ROLE: JsonObject = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
FINISH: JsonObject = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
GENERATE = "/api/generate_response?user_input=hi&stream=true"
DIALECTS = pytest.mark.parametrize("dialect", ["openai", "dynaspark"])


def word(text: str) -> JsonObject:
    """Return the chunk that says `text`."""
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


def then_hang(*frames: bytes) -> Answer:
    """Stream these frames and nothing more."""
    return lambda _request: [Send(STREAM_HEAD), *map(piece, frames), Hang()]


async def ask(caller: Asker, dialect: str) -> Reply:
    """Ask for a stream in either dialect."""
    return await (caller.chat(stream=True) if dialect == "openai" else caller.get(GENERATE))


class Pings:
    """Pings that tests can make sooner; they end with the test."""

    def __init__(self, caller: Asker) -> None:
        self.first = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        serving = caller.gateway.gateway.serving
        serving.pinger = Pinger(self._start, silence_s=0.01)

    def _start(self, stream: EventStream) -> None:
        task = asyncio.ensure_future(self._ping(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ping(self, stream: EventStream) -> None:
        await stream.ping()
        self.first.set()


def hold(event: asyncio.Event) -> list[Hold]:
    """Wait for `event` before the answer begins."""
    return [Hold(event)]
