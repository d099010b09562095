"""Texts to vectors."""

from dataclasses import dataclass

from gateway.schema.json import NO_EXTRA, Extra
from gateway.schema.usage import Usage


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to embed, in order; `dimensions` shortens the vectors where the model can."""

    model: str
    texts: tuple[str, ...]
    dimensions: int | None = None
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector a text, in order, as little-endian 32-bit floats."""

    vectors: tuple[bytes, ...]
    usage: Usage | None = None
    model: str | None = None
