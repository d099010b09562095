"""What a provider may do besides text; the protocols of pictures, sound, vectors and judgements."""

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from gateway.schema.audio import SpeechRequest, Transcript, TranscriptionRequest
from gateway.schema.embeddings import EmbeddingRequest, Embeddings
from gateway.schema.images import ImageAnswer, ImageEditRequest, ImageRequest
from gateway.schema.moderation import Moderation, ModerationRequest
from gateway.sdk.providers import Attempt


@runtime_checkable
class ImageProvider(Protocol):
    """Makes pictures."""

    async def draw(self, request: ImageRequest, attempt: Attempt) -> ImageAnswer:
        """Return the pictures; raise `UpstreamError`. Cancelling must free the upstream."""


@runtime_checkable
class ImageEditProvider(Protocol):
    """Changes pictures."""

    async def edit(self, request: ImageEditRequest, attempt: Attempt) -> ImageAnswer:
        """Return the changed pictures; raise `UpstreamError`. Cancelling must free the upstream.

        A prompt that asks for what it cannot do is `Failure.CALLER_FAULT`, and says what it can.
        """


@runtime_checkable
class SpeechProvider(Protocol):
    """Reads aloud."""

    def speak(self, request: SpeechRequest, attempt: Attempt) -> AsyncGenerator[bytes]:
        """Yield the sound in `request.format` as it is made; raise `UpstreamError`.

        Closing the generator must free the upstream at once.
        """


@runtime_checkable
class TranscriptionProvider(Protocol):
    """Writes down what is said."""

    async def transcribe(self, request: TranscriptionRequest, attempt: Attempt) -> Transcript:
        """Return what was said; raise `UpstreamError`. Cancelling must free the upstream."""


@runtime_checkable
class EmbeddingProvider(Protocol):
    """Turns texts into vectors."""

    async def embed(self, request: EmbeddingRequest, attempt: Attempt) -> Embeddings:
        """Return one vector a text; raise `UpstreamError`."""


@runtime_checkable
class ModerationProvider(Protocol):
    """Judges texts."""

    async def moderate(self, request: ModerationRequest, attempt: Attempt) -> Moderation:
        """Return one judgement a text; raise `UpstreamError`."""
