"""What a scripted upstream does on its connection, and the runs of it that answers are made of."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from gateway.schema.json import JsonObject
from gateway.testing.http_wire import LAST_CHUNK, UpstreamRequest, chunk, head
from gateway.testing.openai_documents import Tokens, frame, stream_documents, whole_document


@dataclass(frozen=True, slots=True)
class Send:
    """Write these bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Write nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hold:
    """Go on when the test sets the event."""

    event: asyncio.Event


@dataclass(frozen=True, slots=True)
class Hang:
    """Never go on: only the peer, or the end of the test, ends this."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection with a TCP reset."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection in good order."""


Action = Send | Pause | Hold | Hang | Reset | Close
Answer = Callable[[UpstreamRequest], Sequence[Action]]
"""Turns the request it meets into what to do."""

_STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "transfer-encoding": "chunked",
}
NO_HEADERS: Mapping[str, str] = {}


def whole(code: int, data: bytes, headers: Mapping[str, str]) -> list[Action]:
    """Answer with a body of known length; the connection stays open."""
    return [Send(head(code, {**headers, "content-length": str(len(data))}) + data)]


def json_body(code: int, document: JsonObject, headers: Mapping[str, str]) -> list[Action]:
    """Answer with a JSON body."""
    return whole(code, orjson.dumps(document), {"content-type": "application/json", **headers})


def framed(frames: Sequence[bytes]) -> list[Action]:
    """Answer 200 with these frames as one whole stream."""
    sent = [piece(data) for data in frames]
    return [Send(head(200, _STREAM_HEADERS)), *sent, Send(LAST_CHUNK)]


def streamed(
    request: UpstreamRequest,
    deltas: Sequence[JsonObject],
    *,
    finish: str,
    usage: Tokens | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
    gap_s: float = 0.0,
    hold: asyncio.Event | None = None,
) -> list[Action]:
    """Answer 200 with a whole stream of these deltas, `[DONE]` included.

    Frames are `gap_s` apart, and all but the first of each choice wait for `hold`.
    """
    actions: list[Action] = [Send(head(200, {**_STREAM_HEADERS, **headers}))]
    for position, document in enumerate(stream_documents(request, deltas, finish, usage)):
        if position == request.choices:
            actions += held(hold)
        if position and gap_s:
            actions.append(Pause(gap_s))
        actions.append(piece(frame(document)))
    return [*actions, piece(b"data: [DONE]\n\n"), Send(LAST_CHUNK)]


def begun(request: UpstreamRequest, pieces: Sequence[str]) -> list[Action]:
    """Answer 200 and stop in the middle: after these pieces, or half of a whole body."""
    if not request.is_stream:
        data = orjson.dumps(whole_document(request, {"content": "".join(pieces)}, "stop", None))
        headers = {"content-type": "application/json", "content-length": str(len(data))}
        return [Send(head(200, headers) + data[: len(data) // 2])]
    deltas: list[JsonObject] = [{"content": text} for text in pieces]
    documents = stream_documents(request, deltas, None, None)
    return [Send(head(200, _STREAM_HEADERS)), *(piece(frame(item)) for item in documents)]


def piece(data: bytes) -> Send:
    """Write `data` as one chunk of a body."""
    return Send(chunk(data))


def held(hold: asyncio.Event | None) -> list[Action]:
    """Wait for `hold`, if there is one."""
    return [] if hold is None else [Hold(hold)]


def numbered(count: int) -> list[str]:
    """Return so many pieces of text."""
    return [f"piece{number} " for number in range(count)]
