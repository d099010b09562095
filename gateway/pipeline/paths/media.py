"""The path of what is no text: pictures, vectors, judgements, transcripts, speech."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from gateway.config.document import Deadlines
from gateway.pipeline.attempts.visit import Visit
from gateway.pipeline.call import Call, Held, Services
from gateway.pipeline.paths.watched import Watched
from gateway.pipeline.routing.target import Target
from gateway.schema.audio import (
    MEDIA_TYPES,
    PCM_BYTES_A_SECOND,
    SpeechRequest,
    Transcript,
    TranscriptionRequest,
)
from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.failure import Failure
from gateway.schema.images import ImageAnswer, ImageEditRequest, ImageRequest
from gateway.schema.moderation import Moderation, ModerationRequest
from gateway.schema.reply import Made, Stream
from gateway.sdk.errors import UpstreamError
from gateway.sdk.media import (
    EmbeddingProvider,
    ImageEditProvider,
    ImageProvider,
    ModerationProvider,
    SpeechProvider,
    TranscriptionProvider,
)
from gateway.sdk.providers import Attempt


async def whole(
    call: Call, target: Target, attempt: Attempt, services: Services, visit: Visit
) -> Made:
    """Return the thing that was asked for; the target is free again."""
    thing = await _make(call, target, attempt)
    if isinstance(thing, ImageAnswer):
        thing = await _finished(thing, call, services)
        call.images = len(thing.images)
    if isinstance(thing, Embeddings | ImageAnswer | Transcript):
        call.usage = thing.usage
    if isinstance(thing, ImageAnswer):
        call.images = len(thing.images)
    if isinstance(thing, Transcript):
        call.audio_s += thing.duration_s or 0.0
    if isinstance(thing, Embeddings | ImageAnswer | Moderation):
        call.model = thing.model
    return Made(thing, made_by=target.name if target.card.deterministic else "")


async def stream(
    call: Call, target: Target, attempt: Attempt, services: Services, visit: Visit
) -> Stream:
    """Return the sound from its first bytes on."""
    request = call.ask.meaning()
    if not isinstance(request, SpeechRequest):
        raise UpstreamError(Failure.UNSUPPORTED, "this is nothing to speak")
    first, speech = await begin_speech(request, target, attempt)
    call.held = Held(speech.aclose, visit)
    return Stream(
        MEDIA_TYPES[request.format],
        _sound(first, speech, call, services.document.deadlines, is_pcm=request.format == "pcm"),
    )


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
        return await provider.draw(replace(request, model=target.model), attempt)
    if isinstance(request, ImageEditRequest) and isinstance(provider, ImageEditProvider):
        fetched = tuple(call.fetched[link] for link in request.links)
        sources = (*request.sources, *fetched)
        request = replace(request, model=target.model, sources=sources, links=())
        return await provider.edit(request, attempt)
    if isinstance(request, TranscriptionRequest) and isinstance(provider, TranscriptionProvider):
        return await provider.transcribe(replace(request, model=target.model), attempt)
    raise UpstreamError(Failure.UNSUPPORTED, "this provider cannot do that")


async def _finished(answer: ImageAnswer, call: Call, services: Services) -> ImageAnswer:
    """Return the pictures as the caller asked for them, whoever made them."""
    if not answer.images:
        raise UpstreamError(Failure.TRANSIENT, "the answer is empty")
    finishing = call.ask.finishing
    if finishing is None:
        return answer
    images = [
        replace(image, picture=await services.pictures.finish(image.picture, finishing))
        for image in answer.images
    ]
    return replace(answer, images=tuple(images))


async def _sound(
    first: bytes,
    speech: AsyncGenerator[bytes],
    call: Call,
    deadlines: Deadlines,
    *,
    is_pcm: bool,
) -> AsyncGenerator[bytes]:
    # How long the other formats last could only be told by decoding them.
    byte_s = 1 / PCM_BYTES_A_SECOND if is_pcm else 0
    name = call.target.connected.name if call.target else "the provider"
    call.audio_s += len(first) * byte_s
    yield first
    async for piece in Watched(speech, call.watch, deadlines.between_tokens_s, name=name):
        call.audio_s += len(piece) * byte_s
        yield piece
