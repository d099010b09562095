"""A legal generation breaks no rule, and each rule can be broken."""

import pytest

from gateway.schema.events import (
    Finish,
    ReasoningDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from gateway.schema.usage import Usage
from gateway.testing.event_rules import broken_rules

HELLO = TextDelta(0, "hello")
STOP = Finish(0, "stop")


def test_a_full_generation_is_legal() -> None:
    events = [
        Started(model="m"),
        ReasoningDelta(0, "hm"),
        HELLO,
        ToolCallStarted(0, 0, "call_1", "look"),
        ToolCallStarted(0, 1, "call_2", "look"),
        ToolCallDelta(0, 1, "{}"),
        ToolCallDelta(0, 0, '{"a"'),
        ToolCallDelta(0, 0, ": 1}"),
        TextDelta(1, "other"),
        Finish(1, "stop"),
        Finish(0, "tool_calls"),
        Usage(input_tokens=3, output_tokens=5),
    ]

    assert broken_rules(events, choices=2) == []


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ([HELLO, "text", STOP], "str is no event"),
        ([HELLO, Started(), STOP], "Started comes first"),
        ([Started(), Started(), HELLO, STOP], "Started comes first"),
        ([HELLO, Usage(), STOP], "Usage comes last"),
        ([HELLO, STOP, Usage(), Usage()], "Usage comes last"),
        ([TextDelta(0, ""), STOP], "nothing was said"),
        ([], "nothing was said"),
        ([HELLO], "choice 0 has 0 Finish"),
        ([HELLO, STOP, STOP], "choice 0 has 2 Finish"),
        ([HELLO, STOP, HELLO], "goes on with TextDelta after its Finish"),
        ([HELLO, STOP, TextDelta(1, "x"), Finish(1, "stop")], "there is a choice 1, but 1"),
        ([ToolCallDelta(0, 0, "{}"), STOP], "before its ToolCallStarted"),
        ([ToolCallStarted(0, 1, "a", "look"), STOP], "starts as number 0"),
        ([ToolCallStarted(0, 0, "a", "look"), STOP], "no JSON object"),
        (
            [ToolCallStarted(0, 0, "a", "look"), ToolCallDelta(0, 0, "[1]"), STOP],
            "no JSON object",
        ),
        ([ToolCallStarted(0, 0, "a", ""), ToolCallDelta(0, 0, "{}"), STOP], "has no name"),
        ([ToolCallStarted(0, 0, "", "look"), ToolCallDelta(0, 0, "{}"), STOP], "ids of the tool"),
        ([HELLO, Finish(0, "")], "no reason"),
        ([HELLO, STOP, Usage(output_tokens=-1)], "output_tokens is -1"),
        ([TextDelta(0, "\ud83c"), STOP], "half a character"),
    ],
)
def test_each_broken_rule_is_named(events: list[object], sentence: str) -> None:
    broken = broken_rules(events)

    assert any(sentence in said for said in broken), broken


def test_arguments_that_the_token_limit_cut_need_not_be_json() -> None:
    events = [ToolCallStarted(0, 0, "a", "look"), ToolCallDelta(0, 0, '{"a'), Finish(0, "length")]

    assert broken_rules(events) == []
