"""The public plugin API: everything a provider package may import, with `gateway.schema`."""

from gateway.sdk.errors import UpstreamError
from gateway.sdk.hooks import hookimpl
from gateway.sdk.http import HttpClient, HttpError, HttpResponse, Timeouts, TooLargeError
from gateway.sdk.media import (
    EmbeddingProvider,
    ImageEditProvider,
    ImageProvider,
    ModerationProvider,
    SpeechProvider,
    TranscriptionProvider,
)
from gateway.sdk.providers import (
    API,
    Attempt,
    Background,
    CardSource,
    ChatProvider,
    Clock,
    CompletionProvider,
    Deps,
    Forwarded,
    ForwardingProvider,
    HealthProbe,
    ListedModel,
    ModelCard,
    ModelLister,
    Price,
    ProviderKind,
)
from gateway.sdk.weights import Progress, PullError, Weight, Weights

__all__ = [
    "API",
    "Attempt",
    "Background",
    "CardSource",
    "ChatProvider",
    "Clock",
    "CompletionProvider",
    "Deps",
    "EmbeddingProvider",
    "Forwarded",
    "ForwardingProvider",
    "HealthProbe",
    "HttpClient",
    "HttpError",
    "HttpResponse",
    "ImageEditProvider",
    "ImageProvider",
    "ListedModel",
    "ModelCard",
    "ModelLister",
    "ModerationProvider",
    "Price",
    "Progress",
    "ProviderKind",
    "PullError",
    "SpeechProvider",
    "Timeouts",
    "TooLargeError",
    "TranscriptionProvider",
    "UpstreamError",
    "Weight",
    "Weights",
    "hookimpl",
]
