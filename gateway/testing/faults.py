"""How a `FakeUpstream` can be told to fail beyond HTTP's statuses; each returns one `Answer`."""

import asyncio
from collections.abc import Sequence

from gateway.testing.actions import (
    NO_HEADERS,
    Action,
    Answer,
    Close,
    Hang,
    Reset,
    Send,
    begun,
    framed,
    held,
    json_body,
    numbered,
    piece,
    whole,
)
from gateway.testing.http_wire import LAST_CHUNK, UpstreamRequest
from gateway.testing.openai_documents import error_document, frame


def raw(*data: bytes) -> Answer:
    """Write these bytes instead of an HTTP answer, then close."""
    return lambda _request: [*(Send(part) for part in data), Close()]


def error_in_stream(
    *pieces: str, message: str = "scripted", hold: asyncio.Event | None = None
) -> Answer:
    """Answer 200, say the pieces, then an error; the body of a request without stream is the error.

    The error waits for `hold`.
    """

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        document = error_document(500, message, None)
        if not request.is_stream:
            return json_body(200, document, NO_HEADERS)
        return [*begun(request, pieces), *held(hold), piece(frame(document)), Send(LAST_CHUNK)]

    return answer


def hang_before_head() -> Answer:
    """Take the request and never answer."""
    return lambda _request: [Hang()]


def hang_in_stream(after: int = 2) -> Answer:
    """Say `after` pieces, or half of a whole body, then nothing more."""
    return lambda request: [*begun(request, numbered(after)), Hang()]


def reset(after: int | None = None, *, hold: asyncio.Event | None = None) -> Answer:
    """Reset the connection: before the head, or after it and so many pieces (half of a whole body).

    A reader may lose what it had not yet read, as on any network: with `hold` the reset waits for
    the test to say that it has.
    """

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        start = [] if after is None else begun(request, numbered(after))
        return [*start, *held(hold), Reset()]

    return answer


def truncated(after: int = 2, *, hold: asyncio.Event | None = None) -> Answer:
    """Close in good order too early: after so many pieces, or half of a whole body."""

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        return [*begun(request, numbered(after)), *held(hold), Close()]

    return answer


def garbage(data: bytes = b'{"choices": [{"delta": \xff\x00}]') -> Answer:
    """Answer 200 with what is not JSON, as a body or as the data of a frame."""

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        if request.is_stream:
            return framed([b"data: " + data + b"\n\n", b"data: [DONE]\n\n"])
        return whole(200, data, {"content-type": "application/json"})

    return answer
