"""What is asked besides the target whose turn it is: `models.<name>.hedge`."""

from pydantic import Field

from gateway.config.section import Rate, RateField, Section


class Hedge(Section):
    """`models.<name>.hedge`: a second attempt elsewhere while the first is late."""

    after_s: float | None = Field(None, gt=0, le=600)
    """For a stream's first piece; None is the target's own 95th percentile."""
    whole_after_s: float | None = Field(None, gt=0, le=600)
    """The same for answers that do not stream, until they are whole."""
    budget_percent: float = Field(5.0, ge=0, le=100)
    """Of the model's calls at a process, how many may be hedged."""
    floor: RateField = Rate(10, 60)
    """How many may be besides, however few calls there are."""
    max_cost_usd: float | None = Field(None, ge=0, le=1_000_000)
    """The most that a second attempt may cost; then one whose price is not known is not made."""


class Shadow(Section):
    """`models.<name>.shadow`: another model is asked the same, and its answers are compared."""

    model: str
    """One of `models`: the first of its targets that can answer alone is asked."""
    percent: float = Field(1.0, gt=0, le=100)
    """Of the calls that are answered with words, how many are asked again."""
    concurrent: int = Field(2, ge=1, le=100)
    """Copies under way at a process; while there are so many no further one is made."""
    timeout_s: float = Field(60.0, gt=0, le=600)
    """For one copy, waiting included."""
