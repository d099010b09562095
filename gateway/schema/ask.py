"""A parsed request: what a dialect makes of a caller's bytes and the pipeline acts on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from gateway.schema.audio import SpeechRequest, TranscriptionRequest
from gateway.schema.chat import ChatRequest, CompletionRequest
from gateway.schema.embeddings import EmbeddingRequest
from gateway.schema.images import Finishing, ImageEditRequest, ImageRequest
from gateway.schema.json import JsonObject, Wire
from gateway.schema.moderation import ModerationRequest
from gateway.schema.wishes import Wished


class Feature(StrEnum):
    """What a request cannot do without; a target that lacks one is not tried."""

    TEXT = "text"
    COMPLETION = "completion"
    OUTPUT_CEILING = "max_output_tokens"
    TOOLS = "tools"
    VISION = "vision"
    AUDIO_INPUT = "audio_input"
    AUDIO_OUTPUT = "audio_output"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    EMBEDDING = "embedding"
    IMAGE = "image"
    IMAGE_EDIT = "image_edit"
    MODERATION = "moderation"
    SPEECH = "speech"
    TRANSCRIPTION = "transcription"


Request = (
    ChatRequest
    | CompletionRequest
    | EmbeddingRequest
    | ImageEditRequest
    | ImageRequest
    | ModerationRequest
    | SpeechRequest
    | TranscriptionRequest
)
"""What a caller can ask for, in canonical form."""


@dataclass(slots=True)
class Ask:
    """One request, validated, in its caller's words and, on demand, in canonical ones.

    `document` is the caller's body when its format is `wire` and a target may take it as it is; it
    is the pipeline's to change, and to drop once an answer has begun. `translate` makes canonical
    meaning of it.
    """

    dialect: str
    model: str
    translate: Callable[[JsonObject], Request]
    needs: frozenset[Feature] = frozenset({Feature.TEXT})
    wire: Wire | None = None
    document: JsonObject = field(default_factory=dict)
    knobs: Mapping[str, object] = field(default_factory=dict)
    """Tuning knobs that were given, and their values, by their name in `schema.chat.Sampling`."""
    answer: Literal["text", "thing", "bytes"] = "text"
    """Words, whole or as events; one thing, whole; or bytes of a media type, as they come."""
    is_stream: bool = False
    is_usage_wanted: bool = False
    """The caller of a stream asked for a last chunk with the usage."""
    is_private: bool = False
    is_feed_worthy: bool = False
    """The path is one whose generations may appear in a public feed."""
    has_seed: bool = False
    set_seed: int | None = None
    """The seed that the configuration puts in place of the caller's or a random one."""
    links: Mapping[str, str] = field(default_factory=dict)
    """URLs in the request and where each stands: fetched for targets that do not do so."""
    finishing: Finishing | None = None
    """What is done to the pictures that answer it."""
    referrer: str | None = None
    ignored_params: tuple[str, ...] = ()
    wished: Wished | None = None
    """What its caller wants of the choice who answers."""

    def meaning(self) -> Request:
        """Return the request in canonical form; may raise `CallError` for what that cannot say."""
        return self.translate(self.document)
