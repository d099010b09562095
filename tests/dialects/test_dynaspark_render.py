"""DynaSpark's answers, whole and streamed; the golden files say them byte for byte."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.dialects.dynaspark import TextQuery, parse_text
from gateway.dialects.dynaspark_render import TextStream, render_text
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
from gateway.schema.usage import Usage

GOLDEN = sorted((Path(__file__).parent / "dynaspark").glob("*.json"))
EVENTS: dict[str, type[Any]] = {  # Any: each is built from its own fields.
    kind.__name__: kind
    for kind in (Started, TextDelta, ReasoningDelta, RefusalDelta, Finish, Usage)
}


def query(**given: str) -> TextQuery:
    return parse_text({"user_input": "Hi", **given}, default_model="openai", random_seed=1)[1]


def frames(asked: TextQuery, events: list[StreamEvent]) -> str:
    stream = TextStream(asked, request_id="req-1", model="openai", created=1700000000)
    return b"".join([*map(stream.render, events), stream.end()]).decode()


def deltas(sent: str) -> list[dict[str, Any]]:
    chunks = [
        line.removeprefix("data: ") for line in sent.splitlines() if line.startswith("data: {")
    ]
    return [json.loads(chunk)["choices"][0] for chunk in chunks]


def content(sent: str) -> str:
    return "".join(choice["delta"].get("content", "") for choice in deltas(sent))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_the_golden_answers_hold(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    events = [EVENTS[event.pop("event")](**event) for event in case["events"]]
    asked = query(**case["given"])

    media_type, body = render_text(collect(events), asked)

    assert media_type == case["media_type"]
    assert body.decode() == case["body"]
    assert frames(asked, events).splitlines() == case["stream"]


def test_there_are_golden_answers() -> None:
    assert len(GOLDEN) >= 4


def test_text_is_the_models_words_untrimmed() -> None:
    said = " \n Grüße 👋 \n"

    media_type, body = render_text(collect([TextDelta(0, said)]), query())

    assert media_type == "text/plain; charset=utf-8"
    assert body.decode() == said


def test_only_the_first_choice_speaks() -> None:
    events: list[StreamEvent] = [TextDelta(1, "second"), TextDelta(0, "first"), Finish(1, "stop")]

    assert render_text(collect(events), query())[1] == b"first"
    assert content(frames(query(), events)) == "first"


def test_a_refusal_counts_as_words() -> None:
    events: list[StreamEvent] = [RefusalDelta(0, "I must "), RefusalDelta(0, "not.")]

    assert render_text(collect(events), query())[1] == b"I must not."
    assert content(frames(query(), events)) == "I must not."


def test_a_refusal_of_an_object_is_streamed_as_a_message() -> None:
    asked = query(user_input="List 3 colors", json="true")

    sent = frames(asked, [RefusalDelta(0, 'No "colors".'), Finish(0, "stop")])

    assert json.loads(content(sent)) == {"message": 'No "colors".'}


def test_nothing_said_is_an_empty_answer() -> None:
    assert render_text(collect([]), query()) == ("text/plain; charset=utf-8", b"")
    assert render_text(collect([]), query(json="true"))[1] == b'{"message":""}'


def test_a_stream_opens_once_ends_once_and_hides_what_was_not_asked_for() -> None:
    events: list[StreamEvent] = [
        Started(),
        TextDelta(0, ""),
        ToolCallStarted(0, 0, "id", "tool"),
        ToolCallDelta(0, 0, "{}"),
        AudioDelta(0, b"sound"),
        TextDelta(0, "Hi"),
        Finish(0, "stop"),
        Usage(1, output_tokens=2),
    ]

    sent = frames(query(), events)

    assert deltas(sent) == [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None},
        {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    ]
    assert sent.endswith("\n\nid: req-1-end\ndata: [DONE]\n\n")
    assert "usage" not in sent


def test_a_json_stream_without_a_finish_still_parses() -> None:
    sent = frames(query(json="true"), [TextDelta(0, "Hel"), TextDelta(0, 'l"o')])

    assert json.loads(content(sent)) == {"message": 'Hell"o'}


def test_the_words_end_before_the_choice_does() -> None:
    sent = frames(query(json="true"), [TextDelta(0, "Hello"), Finish(0, "length")])

    assert [choice["delta"].get("content") for choice in deltas(sent)] == [
        "",
        '{"message": "Hello',
        '"}',
        None,
    ]
    assert deltas(sent)[-1]["finish_reason"] == "length"
