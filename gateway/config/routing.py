"""When targets rest: `health`."""

from typing import Self

from pydantic import Field, model_validator

from gateway.config.section import Section


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

    @model_validator(mode="after")
    def _doubles(self) -> Self:
        if self.longest_cooldown_s < self.cooldown_s:
            msg = "health.longest_cooldown_s is less than health.cooldown_s: write as much or more"
            raise ValueError(msg)
        return self
