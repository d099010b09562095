"""Answers that serve more than once: `models.<name>.cache` and `cache`."""

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
