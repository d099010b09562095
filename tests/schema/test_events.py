"""The fold over a generation's events."""

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
    is_meaningful,
)
from gateway.schema.usage import Usage


def test_pieces_are_put_together_choice_by_choice() -> None:
    events: list[StreamEvent] = [
        Started("m", 5),
        TextDelta(1, "sec"),
        TextDelta(0, "fi", ({"token": "fi"},)),
        ReasoningDelta(0, "hm"),
        TextDelta(1, "ond"),
        TextDelta(0, "rst"),
        ToolCallStarted(0, 0, "call_1", "f"),
        ToolCallDelta(0, 0, '{"a"'),
        ToolCallDelta(0, 0, ":1}"),
        RefusalDelta(1, "no"),
        AudioDelta(1, b"\x01", "so"),
        AudioDelta(1, b"\x02", "und"),
        Finish(0, "tool_calls"),
        Finish(1, "stop"),
        Usage(input_tokens=1),
    ]

    whole = collect(events)

    first, second = whole.choices
    assert (first.text, first.reasoning, first.finish) == ("first", "hm", "tool_calls")
    assert first.logprobs == [{"token": "fi"}]
    assert (first.tool_calls[0].name, first.tool_calls[0].arguments) == ("f", '{"a":1}')
    assert (second.text, second.refusal, second.transcript) == ("second", "no", "sound")
    assert second.audio == b"\x01\x02"
    assert (whole.started.model, whole.usage) == ("m", Usage(input_tokens=1))


def test_only_pieces_of_an_answer_are_meaningful() -> None:
    silent: list[StreamEvent] = [
        Started(),
        TextDelta(0, ""),
        AudioDelta(0, b""),
        Finish(0, "stop"),
        Usage(),
    ]
    telling: list[StreamEvent] = [
        TextDelta(0, "a"),
        ReasoningDelta(0, "a"),
        RefusalDelta(0, "a"),
        ToolCallStarted(0, 0, "", "f"),
        ToolCallDelta(0, 0, "{"),
        AudioDelta(0, b"a"),
    ]

    assert not any(map(is_meaningful, silent))
    assert all(map(is_meaningful, telling))


def test_usage_adds_up_bucket_by_bucket() -> None:
    both = Usage(input_tokens=1, output_tokens=2) + Usage(input_tokens=3, is_estimated=True)

    assert both == Usage(input_tokens=4, output_tokens=2, is_estimated=True)
