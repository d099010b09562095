"""For which calls a target is there: `models.<name>.targets[].when`."""

import re
from typing import Annotated, NamedTuple, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from gateway.config.section import Section

ANONYMOUS = "anonymous"
"""What `plans` calls callers without a key."""
DAY_S = 24 * 3600
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class Hours(NamedTuple):
    """A part of each day, in seconds from midnight UTC: `end_s` is not in it, and may be less."""

    start_s: int
    end_s: int

    def has(self, second: float) -> bool:
        """Say whether a second of the day is in it."""
        return (second - self.start_s) % DAY_S < (self.end_s - self.start_s) % DAY_S

    def __str__(self) -> str:
        """Return it as it is written."""
        return "-".join(f"{at // 3600:02}:{at // 60 % 60:02}" for at in self)


def _parse_hours(value: object) -> object:
    if isinstance(value, Hours):
        return value
    found = _HOURS.fullmatch(value.strip()) if isinstance(value, str) else None
    start_h, start_m, end_h, end_m = map(int, found.groups()) if found else (0, 0, 0, 0)
    hours = Hours(start_h * 3600 + start_m * 60, end_h * 3600 + end_m * 60)
    if hours.start_s == hours.end_s:
        msg = 'write two times of UTC that differ, for example "22:00-06:00"'
        raise ValueError(msg)
    return hours


HoursField = Annotated[Hours, BeforeValidator(_parse_hours), PlainSerializer(str, return_type=str)]


class When(Section):
    """`models.<name>.targets[].when`: a call has to meet all that is written."""

    plans: tuple[str, ...] | None = Field(None, min_length=1)
    """Of the caller's key; `anonymous` are callers without one."""
    tags: tuple[str, ...] | None = Field(None, min_length=1)
    """One of which the caller's key has."""
    min_input_tokens: int | None = Field(None, ge=1)
    max_input_tokens: int | None = Field(None, ge=1)
    """As estimated: about four characters a token."""
    streams: bool | None = None
    """True: streams alone; false: whole answers alone."""
    hours: HoursField | None = None

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        low, high = self.min_input_tokens, self.max_input_tokens
        if low is not None and high is not None and low > high:
            msg = "min_input_tokens is more than max_input_tokens: no call is both"
            raise ValueError(msg)
        return self
