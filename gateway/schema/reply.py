"""What the pipeline answers with; `web.reply` is the only writer.

A reply is written inside `pipeline.run`, which frees the provider when the block is left.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from gateway.schema.audio import Transcript
from gateway.schema.embeddings import Embeddings
from gateway.schema.events import Collected, StreamEvent
from gateway.schema.images import ImageAnswer
from gateway.schema.moderation import Moderation


@dataclass(slots=True)
class Whole:
    """A body that needs no change, in the caller's own wire format."""

    body: bytes
    media_type: str = "application/json"


@dataclass(slots=True)
class Answer:
    """A whole generation in canonical form, for the dialect to render."""

    collected: Collected


@dataclass(slots=True)
class Made:
    """One whole thing that is no text, for the dialect to render."""

    thing: Embeddings | ImageAnswer | Moderation | Transcript
    made_by: str = ""
    """`provider/model` of a target that makes the same of the same request, seed included."""


@dataclass(slots=True)
class Stream:
    """Bytes of a media type, as they come."""

    media_type: str
    chunks: AsyncGenerator[bytes]


@dataclass(slots=True)
class Frames:
    """Whole SSE frames in the caller's own wire format, `[DONE]` included, many in one item."""

    frames: AsyncGenerator[bytes]


@dataclass(slots=True)
class Events:
    """Canonical events, for the dialect to render one by one."""

    events: AsyncGenerator[StreamEvent]


Reply = Whole | Answer | Made | Stream | Frames | Events
