"""The scripted upstream: just enough of OpenAI's API over HTTP/1.1, at the least cost.

Model `idle` streams one token and then holds its stream open; any other answers whole, or with
`"stream": true` in `max_tokens` tokens, one each `PACE_S`. Run as
`python -m tests.bench.upstream PORT`.
"""

import asyncio
import sys
from typing import cast

import orjson

from tests.bench.loops import run_for_ever

PACE_S = 0.004
MODEL = "bench"
IDLE_MODEL = "idle"
DONE = b"data: [DONE]"
REPLY_BYTES = 1024

_CHUNKED = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


class Ticker:
    """One timer for all streams. Late ticks are not made up for, so chunks never merge here."""

    def __init__(self) -> None:
        self._streams: dict[Link, int] = {}
        self._is_ticking = False

    def add(self, link: "Link", tokens: int) -> None:
        """Send `link` so many tokens from now on, then the end of its stream."""
        self._streams[link] = tokens
        if not self._is_ticking:
            self._is_ticking = True
            asyncio.get_running_loop().call_later(PACE_S, self._tick)

    def discard(self, link: "Link") -> None:
        """Forget `link`: its peer is gone."""
        self._streams.pop(link, None)

    def _tick(self) -> None:
        for link, left in list(self._streams.items()):
            if left > 0:
                link.send(_TOKEN)
                self._streams[link] = left - 1
            else:
                link.send(_END)
                del self._streams[link]
        self._is_ticking = bool(self._streams)
        if self._is_ticking:
            asyncio.get_running_loop().call_later(PACE_S, self._tick)


class Link(asyncio.Protocol):
    """One connection: answers one request after the other."""

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self._buffer = b""
        self._transport = asyncio.Transport()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        # cast: uvloop's transports are not of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the stream, if there is one."""
        self._ticker.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer what is complete; a body comes with its length, as both targets send it."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            _, _, length = head.partition(b"\r\ncontent-length:")
            size = int(length.split(b"\r\n", 1)[0] or 0)
            if len(self._buffer) < end + 4 + size:
                return
            body = self._buffer[end + 4 : end + 4 + size]
            self._buffer = self._buffer[end + 4 + size :]
            self._answer(orjson.loads(body) if body else {})

    def send(self, data: bytes) -> None:
        """Write, unless the peer is gone."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def _answer(self, document: dict[str, object]) -> None:
        if document.get("stream") is not True:
            self.send(_WHOLE)
            return
        self.send(_CHUNKED + _TOKEN)
        tokens = document.get("max_tokens")
        if document.get("model") != IDLE_MODEL and isinstance(tokens, int):
            self._ticker.add(self, tokens - 1)


def frames_of(tokens: int) -> int:
    """Return how many events a stream of so many tokens has: usage and `[DONE]` come on top."""
    return tokens + 2


def _chunk(frame: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(frame), frame)


def _frame(**fields: object) -> bytes:
    document = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": MODEL,
        **fields,
    }
    return b"data: " + orjson.dumps(document) + b"\n\n"


def _whole() -> bytes:
    message = {"role": "assistant", "content": ""}
    document = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
    message["content"] = "word " * ((REPLY_BYTES - len(orjson.dumps(document))) // 5)
    body = orjson.dumps(document).ljust(REPLY_BYTES)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


_USAGE = {"prompt_tokens": 200, "completion_tokens": 150, "total_tokens": 350}
_WHOLE = _whole()
_TOKEN = _chunk(
    _frame(choices=[{"index": 0, "delta": {"content": " word"}, "finish_reason": None}])
)
_FINISH = _frame(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
_END = _chunk(_frame(choices=[], usage=_USAGE)) + _chunk(DONE + b"\n\n") + b"0\r\n\r\n"


async def _serve(port: int) -> None:
    ticker = Ticker()
    server = await asyncio.get_running_loop().create_server(
        lambda: Link(ticker), "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    run_for_ever(_serve(int(sys.argv[1])))
