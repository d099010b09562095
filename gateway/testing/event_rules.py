"""What a provider's events must be like, one sentence for each thing that is wrong."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from pydantic_core import from_json

from gateway.schema.events import (
    AudioDelta,
    Choice,
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

EVENTS = (
    Started,
    TextDelta,
    ReasoningDelta,
    RefusalDelta,
    AudioDelta,
    ToolCallStarted,
    ToolCallDelta,
    Finish,
    Usage,
)
"""The classes of `StreamEvent`."""


def broken_rules(events: Sequence[object], *, choices: int = 1) -> list[str]:
    """Return what is wrong with a whole generation of so many choices; nothing, if it is legal."""
    strange = {type(event).__name__ for event in events if not isinstance(event, EVENTS)}
    if strange:
        return [f"{', '.join(sorted(strange))} is no event: yield those of gateway.schema.events"]
    known = [event for event in events if isinstance(event, EVENTS)]
    return [*_order(known), *_choices(known, choices), *_calls(known), *_values(known)]


def _order(events: Sequence[StreamEvent]) -> Iterator[str]:
    kinds = [type(event) for event in events]
    if Started in kinds[1:]:
        yield "Started comes first and once, or not at all"
    if Usage in kinds[:-1]:
        yield "Usage comes last and once, or not at all; add up what is known before"
    if not any(is_meaningful(event) for event in events):
        yield (
            "nothing was said: yield text, reasoning, a refusal, sound or a tool call, or raise "
            "UpstreamError; a finish without any is an empty answer"
        )
    finished: set[int] = set()
    for event in events:
        if isinstance(event, Started | Usage):
            continue
        if event.index in finished:
            yield f"choice {event.index} goes on with {type(event).__name__} after its Finish"
        if isinstance(event, Finish):
            finished.add(event.index)


def _choices(events: Sequence[StreamEvent], choices: int) -> Iterator[str]:
    seen = {event.index for event in events if not isinstance(event, Started | Usage)}
    finishes = [event.index for event in events if isinstance(event, Finish)]
    for index in sorted(seen - set(range(choices))):
        yield f"there is a choice {index}, but {choices} were asked for, counted from 0"
    for index in range(choices):
        count = finishes.count(index)
        if count != 1:
            yield f"choice {index} has {count} Finish events: yield exactly one for each choice"


def _calls(events: Sequence[StreamEvent]) -> Iterator[str]:
    started: dict[int, list[int]] = {}
    for event in events:
        if isinstance(event, ToolCallStarted):
            calls = started.setdefault(event.index, [])
            if event.call != len(calls):
                yield f"tool call {event.call} starts as number {len(calls)}: count from 0"
            calls.append(event.call)
        elif isinstance(event, ToolCallDelta) and event.call not in started.get(event.index, ()):
            yield f"arguments come for tool call {event.call} before its ToolCallStarted"
    for choice in collect(events).choices:
        yield from _whole_calls(choice)


def _whole_calls(choice: Choice) -> Iterator[str]:
    ids = [call.id for call in choice.tool_calls]
    if len(set(ids)) != len(ids) or "" in ids:
        yield f"the ids of the tool calls are not all different and non-empty: {ids}"
    for call in choice.tool_calls:
        if not call.name:
            yield "a tool call has no name"
        if choice.finish != "length" and not _is_object(call.arguments):
            yield (
                f"the arguments of {call.name} are no JSON object once joined: "
                f"{call.arguments[:200]!r}"
            )


def _values(events: Sequence[StreamEvent]) -> Iterator[str]:
    for event in events:
        if isinstance(event, Usage):
            for bucket in fields(event):
                count = getattr(event, bucket.name)
                if bucket.name == "cost_usd_micros" and count is None:
                    continue
                if not isinstance(count, int) or count < 0:
                    yield f"{bucket.name} is {count!r}: counts are whole and not negative"
        elif isinstance(event, Finish) and not event.reason:
            yield "a Finish has no reason; `stop` is the usual one"
        elif isinstance(event, TextDelta | ReasoningDelta | RefusalDelta) and not _is_utf8(
            event.text
        ):
            yield f"{type(event).__name__} holds half a character: {event.text!r}"


def _is_object(text: str) -> bool:
    try:
        return isinstance(from_json(text), dict)
    except ValueError:
        return False


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
