"""An answer as it is kept: its meaning or its upstream's document, and who made it when."""

import base64
import binascii
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from gateway.schema.ask import Ask
from gateway.schema.events import (
    AudioDelta,
    Collected,
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
from gateway.schema.images import ImageAnswer, MadeImage, Picture
from gateway.schema.json import JsonObject, Wire, read_object
from gateway.schema.reply import Answer, Events, Frames, Made, Reply, Whole
from gateway.schema.sse import data_of, frames_of
from gateway.schema.usage import Usage
from gateway.sdk.openai_wire import ChunkReader, events_of_reply

Kind = Literal["whole", "frames", "events", "images"]
_OPTIONS = orjson.OPT_NON_STR_KEYS
_EVENTS: Mapping[str, type[Any]] = {  # Any: each has fields of its own.
    kind.__name__: kind
    for kind in (
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
}
UNREADABLE = (KeyError, TypeError, ValueError, binascii.Error)
"""What reading an answer may raise that something else has written."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer. `at` is when it was made, in Unix time, `keep_s` for how long it is good.

    `body` is a document or frames as they came (`whole`, `frames`), else JSON of ours. With
    `has_usage` the frames say what was used; `usage` does in any case where it is known.
    """

    kind: Kind
    body: bytes
    at: float
    keep_s: float
    provider: str
    model: str
    """`provider/model` of the target."""
    dropped: tuple[str, ...] = ()
    has_usage: bool = False
    usage: Usage | None = None


def packed(kept: Kept) -> bytes:
    """Return the answer as bytes."""
    head = {name: getattr(kept, name) for name in _HEAD}
    return orjson.dumps(head) + b"\n" + kept.body


def unpacked(data: bytes) -> Kept | None:
    """Return the answer again; None for what another version may have written."""
    head, _, body = data.partition(b"\n")
    said = read_object(head)
    if said is None or said.keys() != set(_HEAD):
        return None
    usage = said["usage"]
    try:
        said["dropped"] = tuple(said["dropped"])
        said["usage"] = None if usage is None else Usage(**usage)
    except UNREADABLE:
        return None
    return Kept(body=body, **said)


_HEAD = ("kind", "at", "keep_s", "provider", "model", "dropped", "has_usage", "usage")


def replayed(kept: Kept, ask: Ask) -> Reply | None:
    """Return the answer as `ask` wants it, whole or as a stream; None if it cannot be said so."""
    match kept.kind:
        case "images":
            return Made(_images(kept.body), made_by=kept.model)
        case "whole" if not ask.is_stream:
            return Whole(kept.body)
        case "frames" if ask.is_stream and kept.has_usage == ask.is_usage_wanted:
            return Frames(_once(kept.body))
        case "events":
            pass
        case "whole" | "frames":
            if ask.wire is Wire.OPENAI_COMPLETIONS and "top_logprobs" in ask.knobs:
                return None  # Their logprobs have a form of their own, which events lack.
    events = _events_in(kept)
    if kept.usage is not None and not any(isinstance(event, Usage) for event in events):
        events.append(kept.usage)
    return Events(_each(events)) if ask.is_stream else Answer(collect(events))


def events_of(collected: Collected) -> list[StreamEvent]:
    """Return the events that a whole generation amounts to."""
    events: list[StreamEvent] = [collected.started]
    for choice in collected.choices:
        index = choice.index
        if choice.reasoning:
            events.append(ReasoningDelta(index, choice.reasoning))
        if choice.text or choice.logprobs:
            events.append(TextDelta(index, choice.text, tuple(choice.logprobs)))
        if choice.refusal:
            events.append(RefusalDelta(index, choice.refusal))
        for number, call in enumerate(choice.tool_calls):
            events.append(ToolCallStarted(index, number, call.id, call.name, call.extra))
            events.append(ToolCallDelta(index, number, call.arguments))
        if choice.audio or choice.transcript:
            events.append(AudioDelta(index, choice.audio, choice.transcript, choice.audio_extra))
        if choice.finish is not None:
            events.append(Finish(index, choice.finish, choice.extra))
    if collected.usage is not None:
        events.append(collected.usage)
    return events


def written(events: Iterable[StreamEvent]) -> bytes:
    """Return events as JSON."""
    named = [(type(event).__name__, event) for event in events]
    return orjson.dumps(named, default=_plain, option=_OPTIONS)


def written_images(answer: ImageAnswer) -> bytes:
    """Return pictures as JSON, their bytes in base64."""
    images = [
        (
            base64.b64encode(one.picture.data).decode(),
            one.picture.media_type,
            one.seed,
            one.revised_prompt,
        )
        for one in answer.images
    ]
    return orjson.dumps({"images": images, "model": answer.model, "usage": answer.usage})


def _images(body: bytes) -> ImageAnswer:
    said = read_object(body) or {}
    images = tuple(
        MadeImage(Picture(base64.b64decode(data), media_type), seed, revised)
        for data, media_type, seed, revised in said["images"]
    )
    usage = said["usage"]
    return ImageAnswer(images, None if usage is None else Usage(**usage), said["model"])


def _events_in(kept: Kept) -> list[StreamEvent]:
    if kept.kind == "events":
        return [_event(name, fields) for name, fields in _list(kept.body)]
    if kept.kind == "whole":
        return events_of_reply(read_object(kept.body) or {})
    reader, events = ChunkReader(), list[StreamEvent]()
    for frame in frames_of(kept.body):
        chunk = read_object(data_of(frame))
        if chunk is not None:
            events += reader.read(chunk)
    return events


def _list(body: bytes) -> Sequence[tuple[str, JsonObject]]:
    said = read_object(b'{"events":%b}' % body) or {}
    events: Sequence[tuple[str, JsonObject]] = said["events"]
    return events


def _event(name: str, fields: JsonObject) -> StreamEvent:
    if "extra" in fields:
        fields["extra"] = {Wire(wire): said for wire, said in fields["extra"].items()}
    if "logprobs" in fields:
        fields["logprobs"] = tuple(fields["logprobs"])
    if "data" in fields:
        fields["data"] = base64.b64decode(fields["data"])
    event: StreamEvent = _EVENTS[name](**fields)
    return event


def _plain(value: object) -> object:
    """Return what orjson can write in place of what it cannot."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


async def _once(frames: bytes) -> AsyncGenerator[bytes]:
    yield frames


async def _each(events: Iterable[StreamEvent]) -> AsyncGenerator[StreamEvent]:
    for event in events:
        yield event
