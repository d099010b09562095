"""When targets rest, and when they are asked again: `health` and `retries`."""

from typing import Self

from pydantic import Field, model_validator

from gateway.config.section import Rate, RateField, Section


class Health(Section):
    """`health`: when a target that fails is left alone, and for how long."""

    failures: int = Field(5, ge=1, le=1000)
    """In a row; then the target is open."""
    cooldown_s: float = Field(5.0, gt=0, le=3600)
    """Before the first probe of a target that broke off, was silent or took no more calls."""
    longest_cooldown_s: float = Field(60.0, gt=0, le=3600)
    """Each probe that fails doubles the wait, up to this."""
    rest_s: float = Field(300.0, gt=0, le=86400)
    """The same for what does not pass by itself, and the longest `Retry-After` that is kept to."""
    probes: bool = True
    """Before a target's rest is over its provider looks whether it is back, where that is free."""
    probe_s: float | None = Field(None, ge=1, le=3600)
    """Seconds between such looks at targets that are closed; None: none."""

    @model_validator(mode="after")
    def _doubles(self) -> Self:
        if self.longest_cooldown_s < self.cooldown_s:
            msg = "health.longest_cooldown_s is less than health.cooldown_s: write as much or more"
            raise ValueError(msg)
        return self


class Retries(Section):
    """`retries`: when targets that failed are asked again within a call, once all have failed."""

    times: int = Field(0, ge=0, le=3)
    """Off: OpenAI's clients try again by themselves, and two who do so multiply."""
    base_s: float = Field(0.25, gt=0, le=60)
    """The wait before the first is random, up to this; before each further one up to the double."""
    longest_s: float = Field(10.0, gt=0, le=600)
    """A wait never lasts longer; an upstream that wants a longer one is not asked again."""
    budget_percent: float = Field(10.0, ge=0, le=100)
    """Of all calls of a process, how many may cost an attempt more."""
    floor: RateField = Rate(10, 60)
    """What they may cost besides, however few there are."""
