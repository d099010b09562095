"""Answers read aloud, for targets that only write: each choice, once all its words are there."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from gateway.pipeline.attempts.tries import first_answer
from gateway.pipeline.attempts.visit import Visit
from gateway.pipeline.attempts.visiting import at_target
from gateway.pipeline.call import Call, Services
from gateway.pipeline.paths.media import begin_speech
from gateway.pipeline.paths.watched import Watched
from gateway.pipeline.routing.keys import by_key
from gateway.pipeline.routing.lenders import lenders
from gateway.pipeline.routing.target import Target
from gateway.schema.ask import Feature
from gateway.schema.audio import SpeechRequest
from gateway.schema.chat import AudioOutput, ChatRequest, Message
from gateway.schema.events import AudioDelta, Finish, StreamEvent, TextDelta
from gateway.schema.failure import CallError, Failure
from gateway.schema.json import Wire
from gateway.schema.reply import Answer, Events, Frames, Made, Reply, Stream, Whole
from gateway.schema.usage import Usage
from gateway.schema.wav import sized
from gateway.sdk.errors import UpstreamError
from gateway.sdk.providers import Attempt

MAX_CHARS = 100_000
MAX_SOUND_BYTES = 64 * 1024 * 1024
"""Of one whole answer, all its choices; a stream may go on for as long as its words do."""

_Spoken = tuple[bytes, AsyncGenerator[bytes], Visit]
"""The first bytes of the sound, the rest, and where it comes from."""


def without_sound(request: ChatRequest, call: Call, services: Services) -> ChatRequest:
    """Return `request` for a target that only writes, and note what is to be spoken.

    Raises `CallError`: a voice that nobody has, a turn that is known by its sound alone.
    """
    if request.audio is not None:
        _speakers(request.audio, call, services)
    call.voice = request.audio
    turns = tuple(
        _silent(turn, number) for number, turn in enumerate(request.messages, -call.added_turns)
    )
    return replace(request, messages=turns, audio=None)


async def spoken(reply: Reply, call: Call, services: Services) -> Reply:
    """Return `reply` with sound beside its words, if that was asked of a target without a voice."""
    if call.voice is None:
        return reply
    match reply:
        case Answer():
            size = 0
            for choice in reply.collected.choices:
                pieces: list[bytes] = []
                async with aclosing(_speech(choice.text, call.voice, call, services)) as speech:
                    async for piece in speech:
                        pieces.append(piece)
                        size += len(piece)
                        if size > MAX_SOUND_BYTES:
                            raise _too_long("the sound of the answer is too long: ask for a stream")
                if pieces:
                    sound = b"".join(pieces)
                    choice.audio = sized(sound) if call.voice.format == "wav" else sound
                    choice.transcript = choice.text
            return reply
        case Events():
            return Events(_with_sound(reply.events, call.voice, call, services))
        case Whole() | Made() | Stream() | Frames():
            msg = f"words came as {type(reply).__name__}, which cannot be spoken"
            raise TypeError(msg)


async def _with_sound(
    events: AsyncGenerator[StreamEvent], voice: AudioOutput, call: Call, services: Services
) -> AsyncGenerator[StreamEvent]:
    """Yield the words as they come, then sound and end of each choice, then the usage."""
    texts: dict[int, list[str]] = {}
    ends: list[Finish | Usage] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Finish | Usage):
                ends.append(event)
                continue
            if isinstance(event, TextDelta):
                texts.setdefault(event.index, []).append(event.text)
            yield event
    # Whoever wrote is free before somebody speaks: it may be the same provider, with one place.
    held, call.held = call.held, None
    if held is not None:
        held.visit.answered()
        await held.release()
    for end in ends:
        if isinstance(end, Finish):
            text = "".join(texts.get(end.index, ()))
            is_first = True
            async with aclosing(_speech(text, voice, call, services)) as speech:
                async for piece in speech:
                    if is_first:
                        yield AudioDelta(end.index, b"", text)
                        is_first = False
                    yield AudioDelta(end.index, piece)
        yield end


async def _speech(
    text: str, voice: AudioOutput, call: Call, services: Services
) -> AsyncGenerator[bytes]:
    """Yield the sound of `text`, nothing for an empty one; closing it frees the speaker at once."""
    if not text.strip():
        return
    if len(text) > MAX_CHARS:
        raise _too_long(f"the answer has more than the {MAX_CHARS} characters that can be spoken")
    deadlines = services.document.deadlines
    asked = SpeechRequest("", text, voice.voice, voice.format)

    async def ask(target: Target, number: int) -> _Spoken:
        attempt = Attempt(call.request_id, number, call.deadline)
        work = partial(_begin, asked, target, attempt)
        return await at_target(
            call,
            target,
            work,
            limit_s=deadlines.first_token_s,
            waiting_s=deadlines.total_s,
            is_stream=True,
        )

    speakers = by_key(_speakers(voice, call, services), services)
    first, speech, visit = await first_answer(call, speakers, services, ask)
    name = visit.target.connected.name
    try:
        yield first
        async for piece in Watched(speech, call.watch, deadlines.between_tokens_s, name=name):
            yield piece
        visit.answered()
    except CallError as error:
        if error.failure is not None:
            visit.failed(error.failure)
        raise
    finally:
        try:
            await speech.aclose()
        finally:
            visit.leave()


async def _begin(asked: SpeechRequest, target: Target, attempt: Attempt, visit: Visit) -> _Spoken:
    try:
        first, speech = await begin_speech(asked, target, attempt)
    except UpstreamError as error:
        # What it says of a speech request is said of `audio` here.
        if error.param is not None:
            error.param = "audio.voice" if error.param == "voice" else "audio"
        raise
    return first, speech, visit


def _speakers(voice: AudioOutput, call: Call, services: Services) -> Sequence[Target]:
    """Return the targets that have the voice, as far as anybody said."""
    speakers = lenders(Feature.AUDIO_OUTPUT, call, services)
    able = [one for one in speakers if one.card.voices is None or voice.voice in one.card.voices]
    if not able:
        known = dict.fromkeys(name for one in speakers for name in one.card.voices or ())
        message = f"audio.voice must be one of {', '.join(known)}; got {voice.voice[:80]!r}"
        raise CallError("invalid_parameter", message, param="audio.voice")
    return able


def _silent(turn: Message, number: int) -> Message:
    """Return an earlier turn without its reference to sound, which only who made it has."""
    known = turn.extra.get(Wire.OPENAI_CHAT, {})
    if "audio" not in known:
        return turn
    if known["audio"] is not None and not turn.parts and not turn.tool_calls:
        name = f"messages[{number}].audio"
        message = f"{name} is not kept here: send the turn's transcript as its content"
        raise CallError("invalid_parameter", message, param=name)
    rest = {name: value for name, value in known.items() if name != "audio"}
    return replace(turn, extra={**turn.extra, Wire.OPENAI_CHAT: rest})


def _too_long(message: str) -> CallError:
    return CallError("upstream_failed", message, failure=Failure.UNSUPPORTED)
