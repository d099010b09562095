"""Sound in a conversation, for targets that only read: written down, and put where it stood."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from gateway.pipeline.attempts.tries import first_answer
from gateway.pipeline.attempts.visit import Visit
from gateway.pipeline.attempts.visiting import at_target
from gateway.pipeline.call import Call, Place, Services
from gateway.pipeline.paths.dictation import asks_for_transcript
from gateway.pipeline.routing.keys import by_key
from gateway.pipeline.routing.lenders import lenders
from gateway.pipeline.routing.target import Target
from gateway.schema.ask import Feature
from gateway.schema.audio import Transcript, TranscriptionRequest
from gateway.schema.chat import AudioPart, ChatRequest, NamedTool, Part, TextPart
from gateway.schema.events import Finish, StreamEvent, TextDelta, collect
from gateway.schema.failure import CallError, Failure
from gateway.schema.reply import Answer, Events
from gateway.schema.usage import Usage
from gateway.sdk.errors import UpstreamError
from gateway.sdk.media import TranscriptionProvider
from gateway.sdk.providers import Attempt

FORMATS = ("wav", "mp3", "flac", "ogg", "m4a")
MAX_PARTS = 64


async def with_transcripts(request: ChatRequest, call: Call, services: Services) -> ChatRequest:
    """Return `request` with the transcript of each audio part in its place.

    Each is written down once a call, however many targets are asked. Raises `CallError` that names
    the part, for what is no sound before anything is called.
    """
    await _hear(request, _places(request), call, services)
    messages = []
    for number, message in enumerate(request.messages):
        parts: list[Part] = []
        for position, part in enumerate(message.parts):
            made = call.transcripts.get((number, position))
            parts.append(part if made is None else _told(made))
        messages.append(replace(message, parts=tuple(parts)))
    return replace(request, messages=tuple(messages))


def is_answered_with_transcript(request: ChatRequest) -> bool:
    """Say whether the last turn is sound without a text, or with one that asks for a transcript.

    Not when the answer must be an object or the call of a tool, which no transcript is, nor when
    the target itself is to speak it.
    """
    last = request.messages[-1]
    must_call = request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool)
    if last.role != "user" or request.response_format is not None or must_call:
        return False
    if request.audio is not None or not any(isinstance(part, AudioPart) for part in last.parts):
        return False
    if not all(isinstance(part, AudioPart | TextPart) for part in last.parts):
        return False
    return not last.text.strip() or asks_for_transcript(last.text)


async def transcript(request: ChatRequest, call: Call, services: Services) -> Answer | Events:
    """Answer with what is said in the last turn, its parts joined by a line break."""
    last = len(request.messages) - 1
    places = [place for place in _places(request) if place[0] == last]
    await _hear(request, places, call, services)
    made = [call.transcripts[place] for place in places]
    text = "\n".join(one.text for one in made)
    call.usage = sum((one.usage for one in made if one.usage is not None), Usage())
    call.path = "transcript"
    told: list[StreamEvent] = []
    for index in range(request.sampling.n):
        told += [TextDelta(index, text), Finish(index, "stop")]
    told.append(call.usage)
    return Events(_replayed(told)) if call.ask.is_stream else Answer(collect(told))


def _places(request: ChatRequest) -> list[Place]:
    return [
        (number, position)
        for number, message in enumerate(request.messages)
        for position, part in enumerate(message.parts)
        if isinstance(part, AudioPart)
    ]


def _told(made: Transcript) -> TextPart:
    # Plain words: a mark in brackets was said again in 14 of 52 answers, and 38 were right; with
    # this it was 1, and 47 (Qwen2.5 0.5B, questions about a sentence, 2026-11).
    return TextPart(f"Audio transcript: {made.text.strip() or '(nothing is said)'}")


async def _replayed(events: Sequence[StreamEvent]) -> AsyncGenerator[StreamEvent]:
    for event in events:
        yield event


async def _hear(
    request: ChatRequest, places: Sequence[Place], call: Call, services: Services
) -> None:
    """Write down what stands at `places` and is not yet known."""
    new = [place for place in places if place not in call.transcripts]
    if len(new) > MAX_PARTS:
        message = f"there are {len(new)} audio parts; at most {MAX_PARTS} are heard"
        raise CallError("invalid_parameter", message, param="messages")
    # In a thread: there may be megabytes of it. All are looked at before the first is heard.
    names = [_name_of(place, call) for place in new]
    sounds = await asyncio.to_thread(
        lambda: [_decoded(request, *one) for one in zip(new, names, strict=True)]
    )
    for place, name, (form, data) in zip(new, names, sounds, strict=True):
        call.transcripts[place] = await _transcribed(form, data, name, call, services)


def _decoded(request: ChatRequest, place: Place, name: str) -> tuple[str, bytes]:
    number, position = place
    part = request.messages[number].parts[position]
    if not isinstance(part, AudioPart):
        msg = f"there is no sound at {name}"
        raise TypeError(msg)
    if part.format not in FORMATS:
        raise _refusal(f"{name}.format", f"one of {', '.join(FORMATS)}")
    try:
        data = base64.b64decode(part.data, validate=True)
    except (binascii.Error, ValueError):
        raise _refusal(f"{name}.data", "base64") from None
    if not data:
        raise _refusal(f"{name}.data", "sound in base64; it is empty")
    return part.format, data


async def _transcribed(
    form: str, data: bytes, name: str, call: Call, services: Services
) -> Transcript:
    total_s = services.document.deadlines.total_s
    with NamedTemporaryFile(prefix="dynagate-") as file:
        await asyncio.to_thread(_fill, file, data)
        asked = TranscriptionRequest("", Path(file.name), f"audio.{form}")

        async def ask(target: Target, number: int) -> Transcript:
            call.target = target
            attempt = Attempt(call.request_id, number, call.deadline, is_stream=False)
            work = partial(_ask, target, replace(asked, model=target.model), attempt, name)
            made = await at_target(
                call, target, work, limit_s=total_s, waiting_s=total_s, is_stream=False
            )
            call.audio_s += made.duration_s or 0.0
            return made

        able = lenders(Feature.AUDIO_INPUT, call, services)
        return await first_answer(call, by_key(able, services), services, ask)


async def _ask(
    target: Target, asked: TranscriptionRequest, attempt: Attempt, name: str, visit: Visit
) -> Transcript:
    provider = target.connected.provider
    if not isinstance(provider, TranscriptionProvider):
        raise UpstreamError(Failure.UNSUPPORTED, "this provider does not hear")
    try:
        return await provider.transcribe(asked, attempt)
    except UpstreamError as error:
        if error.failure in {Failure.CALLER_FAULT, Failure.UNSUPPORTED}:
            error.param = f"{name}.data"
        raise


def _fill(file: IO[bytes], data: bytes) -> None:
    file.write(data)
    file.flush()


def _name_of(place: Place, call: Call) -> str:
    """Return what the caller calls the place."""
    return f"messages[{place[0] - call.added_turns}].content[{place[1]}].input_audio"


def _refusal(name: str, wanted: str) -> CallError:
    return CallError("invalid_parameter", f"{name} must be {wanted}", param=name)
