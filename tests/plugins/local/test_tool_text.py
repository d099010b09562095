"""What models wrote, as it was recorded, and what of it is a call."""

import re

import pytest

from gateway.schema.events import (
    Choice,
    Finish,
    StreamEvent,
    TextDelta,
    ToolCallStarted,
    collect,
)
from gateway_local.tool_text import ToolText

NAMES = {"get_weather", "send_email", "calculate"}
OSLO = ("get_weather", '{\n    "city": "Oslo"\n  }')
FENCED = '```json\n{\n  "name": "get_weather",\n  "arguments": {\n    "city": "Oslo"\n  }\n}\n```'
BARE = '{"name": "get_weather", "arguments": {"city": "Tokyo"}}'
TAGGED = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Tokyo"}}\n</tool_call>'
TOKYO = ("get_weather", '{"city": "Tokyo"}')
CALLS = {
    "fenced": (FENCED, "", [OSLO]),
    "bare": (BARE, "", [TOKYO]),
    "tagged": (TAGGED, "", [TOKYO]),
    "plain fence": (f"```\n{BARE}\n```", "", [TOKYO]),
    "after white space": (f"\n\n {BARE}", "", [TOKYO]),
    "after prose": (f"Let me look.\n{FENCED}", "Let me look.\n", [OSLO]),
    "several fences": (f"{FENCED}\n\n\n{FENCED}", "", [OSLO, OSLO]),
    "several tags": (f"{TAGGED}\n{TAGGED}", "", [TOKYO, TOKYO]),
    "a list": (f"[{BARE}, {BARE}]", "", [TOKYO, TOKYO]),
    "an invented result": (f'{BARE}\n{{"temp_c": -3, "sky": "snow"}}', "", [TOKYO]),
    "an invented answer": (f"{BARE}\nIt rains in Tokyo.", "", [TOKYO]),
    "arguments first": (
        '{"arguments": {"city": "Tokyo"}, "name": "get_weather"}',
        "",
        [("get_weather", '{"city":"Tokyo"}')],
    ),
    "parameters": ('{"name": "get_weather", "parameters": {"city": "Tokyo"}}', "", [TOKYO]),
    "arguments as text": (
        '{"name": "get_weather", "arguments": "{\\"city\\": \\"Tokyo\\"}"}',
        "",
        [TOKYO],
    ),
    "no arguments": ('{"name": "get_weather"}', "", [("get_weather", "{}")]),
    "OpenAI's own form": (
        '{"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}',
        "",
        [("get_weather", '{"city":"Oslo"}')],
    ),
    "braces and quotes in a text": (
        '{"name": "calculate", "arguments": {"expression": "\\"}{\\\\"}}',
        "",
        [("calculate", '{"expression": "\\"}{\\\\"}')],
    ),
}
PROSE = {
    "words": "Hello! I'm just a computer program. How about you?",
    "a name that is not declared": (
        '{"name": "multiply", "arguments": {"number": 1234, "multiplier": 5678}}'
    ),
    "an object": '{"city": "Oslo", "name": "get_weather"}',
    "an unfinished object": '{"name": "get_weather", "arg',
    "an empty object": "{}",
    "a name that is no text": '{"name": 1, "arguments": {}}',
    "arguments that are no object": '{"name": "get_weather", "arguments": 7}',
    "a program": 'Like this:\n```python\n{"name": "get_weather"}\n```\nDone.',
    "a fenced object": 'Here:\n```json\n{\n  "city": "Oslo"\n}\n```\nDone.',
    "markup": "<div>\n<b>bold</b>\n</div>",
    "a list of words": '["a", "b"]',
    "blank": " \n ",
}


def read(text: str, size: int, *, is_single: bool = False) -> list[StreamEvent]:
    reader = ToolText(NAMES, is_single=is_single)
    events: list[StreamEvent] = []
    for start in range(0, len(text), size):
        events += reader.feed(TextDelta(0, text[start : start + size]))
    return [*events, *reader.finish("stop")]


def choice_of(events: list[StreamEvent]) -> Choice:
    return collect(events).choices[0]


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(("text", "said", "calls"), CALLS.values(), ids=CALLS.keys())
def test_a_call_is_found_however_it_is_written_and_sliced(
    text: str, said: str, calls: list[tuple[str, str]], size: int
) -> None:
    choice = choice_of(read(text, size))

    assert [(call.name, call.arguments) for call in choice.tool_calls] == calls
    assert choice.text == said
    assert choice.finish == "tool_calls"


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("text", PROSE.values(), ids=PROSE.keys())
def test_text_that_is_no_call_comes_out_as_it_went_in(text: str, size: int) -> None:
    choice = choice_of(read(text, size))

    assert choice.text == text
    assert choice.tool_calls == []
    assert choice.finish == "stop"


def test_prose_is_never_held_back() -> None:
    reader = ToolText(NAMES)

    said = [reader.feed(TextDelta(0, word)) for word in ["The", " sea", ".\n", "It", " is", " {"]]

    assert all(len(events) == 1 for events in said)


def test_a_json_answer_is_let_go_once_its_first_key_is_known() -> None:
    reader = ToolText(NAMES)

    held = reader.feed(TextDelta(0, '{\n  "ci'))
    said = reader.feed(TextDelta(0, 'ty": "Os'))

    assert choice_of(held).text == '{\n  "ci'
    assert choice_of(said).text == 'ty": "Os'


def test_arguments_stream_as_they_are_written() -> None:
    reader = ToolText(NAMES)
    reader.feed(TextDelta(0, '{"name": "send_email", "arguments": '))

    begun = reader.feed(TextDelta(0, '{"to": "bob'))
    more = reader.feed(TextDelta(0, '@example.com"'))

    assert [type(event).__name__ for event in begun] == ["ToolCallStarted", "ToolCallDelta"]
    assert [event.arguments for event in more if hasattr(event, "arguments")] == ['@example.com"']


def test_ids_look_like_openai_s_and_differ() -> None:
    events = read(f"{FENCED}\n{FENCED}", 5)

    ids = [event.id for event in events if isinstance(event, ToolCallStarted)]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"call_[0-9a-f]{24}", found) for found in ids)


def test_only_the_first_call_counts_when_one_is_wanted() -> None:
    choice = choice_of(read(f"{TAGGED}\n{TAGGED}", 4, is_single=True))

    assert len(choice.tool_calls) == 1


def test_a_call_that_was_cut_is_not_to_be_run() -> None:
    choice = choice_of(read('{"name": "get_weather", "arguments": {"city": "To', 4))

    assert choice.finish == "length"


def test_a_reason_of_the_upstream_s_is_kept() -> None:
    reader = ToolText(NAMES)
    reader.feed(TextDelta(0, "Words"))

    assert reader.finish("length") == [Finish(0, "length")]


def test_log_probabilities_go_with_words_that_were_held() -> None:
    reader = ToolText(NAMES)
    reader.feed(TextDelta(0, "<", ({"token": "<"},)))

    events = reader.feed(TextDelta(0, "b>", ({"token": "b>"},)))

    assert events == [TextDelta(0, "<b>", ({"token": "<"}, {"token": "b>"}))]


def test_what_grows_too_long_to_be_a_call_is_text() -> None:
    text = '{"arguments": {"body": "' + "x" * 70_000

    choice = choice_of(read(text, 1000))

    assert choice.text == text
