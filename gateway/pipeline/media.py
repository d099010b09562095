"""The path of what is no text: pictures, vectors, judgements, transcripts, speech."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from gateway.config.document import Deadlines
from gateway.pipeline.call import Call, Held
from gateway.pipeline.route import Target
from gateway.pipeline.watched import Watched
from gateway.schema.audio import MEDIA_TYPES, SpeechRequest, Transcript, TranscriptionRequest
from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.failure import Failure
from gateway.schema.images import ImageAnswer, ImageRequest
from gateway.schema.moderation import Moderation, ModerationRequest
from gateway.schema.reply import Made, Stream
from gateway.sdk.errors import UpstreamError
from gateway.sdk.media import (
    EmbeddingProvider,
    ImageProvider,
    ModerationProvider,
    SpeechProvider,
    TranscriptionProvider,
)
from gateway.sdk.providers import Attempt


async def whole(call: Call, target: Target, attempt: Attempt, deadlines: Deadlines) -> Made:
    """Return the thing that was asked for; the target is free again."""
    thing = await _make(call, target, attempt)
    if isinstance(thing, Embeddings | Transcript):
        call.usage = thing.usage
    if isinstance(thing, Embeddings | ImageAnswer | Moderation):
        call.model = thing.model
    target.connected.gate.leave()
    return Made(thing)


async def stream(call: Call, target: Target, attempt: Attempt, deadlines: Deadlines) -> Stream:
    """Return the sound from its first bytes on."""
    request = call.ask.meaning()
    if not isinstance(request, SpeechRequest):
        raise UpstreamError(Failure.UNSUPPORTED, "this is nothing to speak")
    first, speech = await begin_speech(request, target, attempt)
    call.held = Held(speech.aclose, target.connected.gate.leave)
    return Stream(MEDIA_TYPES[request.format], _sound(first, speech, call, deadlines))


async def begin_speech(
    request: SpeechRequest, target: Target, attempt: Attempt
) -> tuple[bytes, AsyncGenerator[bytes]]:
    """Return the first bytes of the sound, and the rest, which the caller closes."""
    provider = target.connected.provider
    if not isinstance(provider, SpeechProvider):
        raise UpstreamError(Failure.UNSUPPORTED, "this provider does not speak")
    speech = provider.speak(replace(request, model=target.model), attempt)
    try:
        first = await anext(speech, b"")
    except BaseException:
        await speech.aclose()
        raise
    if not first:
        await speech.aclose()
        raise UpstreamError(Failure.TRANSIENT, "the answer is empty")
    return first, speech


async def _make(
    call: Call, target: Target, attempt: Attempt
) -> Embeddings | ImageAnswer | Moderation | Transcript:
    request, provider = call.ask.meaning(), target.connected.provider
    if isinstance(request, EmbeddingRequest) and isinstance(provider, EmbeddingProvider):
        vectors = await provider.embed(replace(request, model=target.model), attempt)
        if len(vectors.vectors) != len(request.texts):
            raise UpstreamError(Failure.TRANSIENT, "there is not one vector for each text")
        return vectors
    if isinstance(request, ModerationRequest) and isinstance(provider, ModerationProvider):
        return await provider.moderate(replace(request, model=target.model), attempt)
    if isinstance(request, ImageRequest) and isinstance(provider, ImageProvider):
        pictures = await provider.draw(replace(request, model=target.model), attempt)
        if not pictures.images:
            raise UpstreamError(Failure.TRANSIENT, "the answer is empty")
        return pictures
    if isinstance(request, TranscriptionRequest) and isinstance(provider, TranscriptionProvider):
        return await provider.transcribe(replace(request, model=target.model), attempt)
    raise UpstreamError(Failure.UNSUPPORTED, "this provider cannot do that")


async def _sound(
    first: bytes, speech: AsyncGenerator[bytes], call: Call, deadlines: Deadlines
) -> AsyncGenerator[bytes]:
    name = call.target.connected.name if call.target else "the provider"
    yield first
    async for piece in Watched(speech, call.watch, deadlines.between_tokens_s, name=name):
        yield piece
