"""The path of what is no text: pictures, vectors, judgements, transcripts, speech."""

from asyncio import CancelledError
from collections.abc import AsyncGenerator
from dataclasses import replace

from gateway.config.document import Deadlines
from gateway.pipeline.call import Call, Held, Services
from gateway.pipeline.route import Target
from gateway.schema.audio import MEDIA_TYPES, SpeechRequest, Transcript, TranscriptionRequest
from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.failure import CallError, Failure
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


async def whole(call: Call, target: Target, attempt: Attempt, services: Services) -> Made:
    """Return the thing that was asked for; the target is free again."""
    thing = await _make(call, target, attempt)
    if isinstance(thing, ImageAnswer):
        thing = await _finished(thing, call, services)
    if isinstance(thing, Embeddings | Transcript):
        call.usage = thing.usage
    if isinstance(thing, Embeddings | ImageAnswer | Moderation):
        call.model = thing.model
    target.connected.gate.leave()
    return Made(thing)


async def stream(call: Call, target: Target, attempt: Attempt, services: Services) -> Stream:
    """Return the sound from its first bytes on."""
    request, provider = call.ask.meaning(), target.connected.provider
    if not isinstance(request, SpeechRequest) or not isinstance(provider, SpeechProvider):
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
    call.held = Held(speech.aclose, target.connected.gate.leave)
    sound = _sound(first, speech, call, services.document.deadlines)
    return Stream(MEDIA_TYPES[request.format], sound)


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
        return await provider.edit(replace(request, model=target.model), attempt)
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
    first: bytes, speech: AsyncGenerator[bytes], call: Call, deadlines: Deadlines
) -> AsyncGenerator[bytes]:
    watch = call.watch
    name = call.target.connected.name if call.target else "the provider"
    try:
        yield first
        while True:
            watch.arm(deadlines.between_tokens_s)
            piece = await anext(speech, None)
            watch.rest()
            if piece is None:
                return
            yield piece
    except CancelledError:
        if watch.has_expired():
            message = f"{name} fell silent"
            raise CallError("deadline_exceeded", message, failure=Failure.TIMEOUT) from None
        raise
    except UpstreamError as error:
        message = f"{name} broke off"
        raise CallError("upstream_failed", message, failure=error.failure) from error
    finally:
        watch.rest()
