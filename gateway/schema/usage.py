"""What a generation consumed, in disjoint buckets that add up."""

from dataclasses import dataclass, fields


@dataclass(slots=True, unsafe_hash=True)  # Frozen, one would cost six times as much to make.
class Usage:
    """Token counts of one generation, which nobody changes; no token is in two buckets.

    Cached, cache-writing and audio input are not part of `input_tokens`; reasoning and audio output
    are not part of `output_tokens`. The last event of a stream that knows its usage.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_in_tokens: int = 0
    audio_out_tokens: int = 0
    is_estimated: bool = False
    """Nobody told the counts: they are made out of lengths of texts."""
    cost_usd_micros: int | None = None
    """What the upstream says that it charges, in millionths of a US dollar."""

    @property
    def total_in(self) -> int:
        """All tokens that went in."""
        return (
            self.input_tokens
            + self.cached_input_tokens
            + self.cache_write_tokens
            + self.audio_in_tokens
        )

    @property
    def total_out(self) -> int:
        """All tokens that came out."""
        return self.output_tokens + self.reasoning_tokens + self.audio_out_tokens

    def __add__(self, other: "Usage") -> "Usage":
        """Return the sum, bucket by bucket; estimated if either part is.

        What is charged is known if both parts say it.
        """
        sums = {
            field.name: getattr(self, field.name) + getattr(other, field.name)
            for field in fields(self)
            if field.name.endswith("_tokens")
        }
        costs = (self.cost_usd_micros, other.cost_usd_micros)
        return Usage(
            **sums,
            is_estimated=self.is_estimated or other.is_estimated,
            cost_usd_micros=None if None in costs else sum(cost or 0 for cost in costs),
        )
