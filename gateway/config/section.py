"""What all sections of `config.yaml` are made of."""

import re
from typing import Annotated, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

_PERIODS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


class Rate(NamedTuple):
    """`amount` in `period_s` seconds."""

    amount: int
    period_s: int


def _parse_rate(value: object) -> object:
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+)\s*/\s*(second|minute|hour|day)", value.strip())
        if found is None or int(found[1]) < 1:
            msg = "write a rate as <count>/<second|minute|hour|day>, for example 100/hour"
            raise ValueError(msg)
        return Rate(int(found[1]), _PERIODS_S[found[2]])
    return value


def _rate_text(rate: Rate) -> str:
    period = next(name for name, seconds in _PERIODS_S.items() if seconds == rate.period_s)
    return f"{rate.amount}/{period}"


RateField = Annotated[
    Rate,
    BeforeValidator(_parse_rate),
    PlainSerializer(_rate_text, return_type=str),
]


class Section(BaseModel):
    """What all sections share: frozen, and no unknown key."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True
    )
