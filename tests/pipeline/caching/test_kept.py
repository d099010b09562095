"""What is kept of an answer comes back as it was."""

import pytest

from gateway.pipeline.caching.kept import Kept, events_of, packed, replayed, unpacked, written
from gateway.schema.ask import Ask
from gateway.schema.chat import ChatRequest
from gateway.schema.events import (
    AudioDelta,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
    collect,
)
from gateway.schema.json import Wire
from gateway.schema.reply import Answer, Events
from gateway.schema.usage import Usage

SPOKEN = {Wire.OPENAI_CHAT: {"id": "audio_1", "expires_at": 7}}
EVENTS: list[StreamEvent] = [
    Started("model", 1704067200, {Wire.OPENAI_CHAT: {"system_fingerprint": "fp"}}),
    ReasoningDelta(0, "hm"),
    TextDelta(0, "größe ", ({"token": "größe", "logprob": -0.5},)),
    TextDelta(1, "two", extra={Wire.OPENAI_CHAT: {"annotations": []}}),
    RefusalDelta(1, "no"),
    ToolCallStarted(0, 0, "call_1", "weather"),
    ToolCallDelta(0, 0, '{"city": "Oslo"}'),
    AudioDelta(0, b"\0\xff", "said", SPOKEN),
    Finish(0, "stop"),
    Finish(1, "tool_calls", {Wire.OPENAI_CHAT: {"matched_stop": 1}}),
    Usage(3, 1, output_tokens=5, is_estimated=True),
]


def kept(body: bytes, kind: str = "events") -> Kept:
    """Return an answer of that body."""
    return Kept(
        kind,  # type: ignore[arg-type]  # A test's own words.
        body,
        at=1.5,
        keep_s=60,
        provider="up",
        model="up/m",
        dropped=("seed",),
        usage=Usage(3, output_tokens=5),
    )


def ask(*, is_stream: bool) -> Ask:
    """Return a request for words."""
    return Ask("openai_chat", "m", lambda _: ChatRequest("m", ()), is_stream=is_stream)


async def test_events_come_back_as_they_were() -> None:
    again = unpacked(packed(kept(written(EVENTS))))

    assert again == kept(written(EVENTS))
    reply = replayed(again, ask(is_stream=True))
    assert isinstance(reply, Events)
    assert [event async for event in reply.events] == EVENTS


def test_a_whole_answer_of_events_is_what_they_fold_to() -> None:
    reply = replayed(kept(written(EVENTS)), ask(is_stream=False))

    assert reply == Answer(collect(EVENTS))


def test_a_whole_answer_is_kept_as_events_that_fold_to_it_again() -> None:
    collected = collect(EVENTS)

    assert collect(events_of(collected)) == collected


WRONG = packed(kept(b"")).replace(b'"input_tokens"', b'"tokens"')


@pytest.mark.parametrize("data", [b"", b"{}\n", b"\xff", b'{"kind": "whole"}\n', b"[1]\n", WRONG])
def test_what_something_else_has_written_is_none(data: bytes) -> None:
    assert unpacked(data) is None
