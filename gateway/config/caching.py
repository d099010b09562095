"""Answers that serve more than once: `models.<name>.cache`, `cache` and `idempotency`."""

from pydantic import Field

from gateway.config.section import Section

_MIB = 1024 * 1024


class ModelCache(Section):
    """`models.<name>.cache`: whether answers of a model are kept, and made once for several."""

    ttl_s: int = Field(3600, ge=0, le=2_592_000)
    """How long an answer may serve; with 0 none is kept."""
    coalesce: bool = True
    """Whether requests that ask the same at the same time share one generation."""


class Cache(Section):
    """`cache`: the bounds of all answers that are kept for models with a `cache`."""

    size_bytes: int = Field(64 * _MIB, ge=_MIB)
    answer_bytes: int = Field(_MIB, ge=1024)
    """A larger answer is not kept; of one that is shared, readers are no further apart."""


class Idempotency(Section):
    """`idempotency`: what is kept of answers to requests with an `Idempotency-Key`."""

    keep_hours: float = Field(24.0, gt=0, le=168)
    size_bytes: int = Field(64 * _MIB, ge=_MIB)
    answer_bytes: int = Field(4 * _MIB, ge=1024)
    """The body of a larger answer is not kept."""
