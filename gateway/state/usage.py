"""What has been used: the questions that a ledger can be asked, and their answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

MAX_LINES: Final = 10_000
"""Of one report: callers choose the names of models, so that there is no end to them."""
_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}
_DAY_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


class Group(StrEnum):
    """What a report can tell apart; owners and tags are those of the keys."""

    DAY = "day"
    MODEL = "model"
    KEY = "key"
    TARGET = "target"
    OWNER = "owner"
    TAG = "tag"


NOBODY = "-"
"""How anonymous callers, keys without an owner or a tag, and calls without a target are named."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls are asked for, and what to tell apart. Times are Unix time in seconds.

    `until` itself is left out. `key_id` "" is anonymous callers, None is everybody.
    """

    by: tuple[Group, ...] = ()
    since: float | None = None
    until: float | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """What some calls come to."""

    calls: int = 0
    failures: int = 0
    tokens_in: int = 0
    """Without those that came out of a cache."""
    cached_tokens_in: int = 0
    tokens_out: int = 0
    images: int = 0
    audio_s: float = 0.0
    cost_usd_micros: int = 0
    """Of the calls whose cost is known, in millionths of a US dollar."""
    unpriced_calls: int = 0
    estimated_calls: int = 0
    """Those whose tokens nobody told."""

    def __add__(self, other: "Sums") -> "Sums":
        """Return what both come to."""
        return Sums(*(getattr(self, name) + getattr(other, name) for name in SUMS))


SUMS = tuple(field.name for field in fields(Sums))


@dataclass(frozen=True, slots=True)
class Line:
    """The calls of one group, named by a text for each of `Wanted.by`."""

    names: tuple[str, ...]
    sums: Sums


@dataclass(frozen=True, slots=True)
class Report:
    """The lines in order, and what all calls come to.

    A call of a key with two tags is in the lines of both, and once in the total.
    """

    by: tuple[Group, ...]
    lines: tuple[Line, ...]
    total: Sums
    is_cut: bool = False
    """Whether there were more lines; those that cost least are left out."""

    def document(self) -> dict[str, Any]:  # Any: JSON.
        """Return it as JSON."""
        by = [group.value for group in self.by]
        rows = [
            {**dict(zip(by, line.names, strict=True)), **_json(line.sums)} for line in self.lines
        ]
        return {"by": by, "rows": rows, "total": _json(self.total), "is_cut": self.is_cut}


class Reports(Protocol):
    """Makes reports while the gateway runs."""

    async def report(self, wanted: Wanted, key: str | None) -> Report:
        """Return what has been used, of `MAX_LINES` lines at most; no call waits for it.

        `key` is a key's id, its shown prefix, or `NOBODY` for anonymous callers; None is
        everybody, and `key_id` of `wanted` does not count. Raises `FieldError` for a key that is
        none, TimeoutError, `StateError`.
        """


def arranged(
    by: tuple[Group, ...], found: Mapping[tuple[str, ...], Sums], total: Sums, most: int
) -> Report:
    """Return the report of the `most` dearest lines: days in order, in each the dearest first."""

    def cost(names: tuple[str, ...]) -> tuple[int, int, tuple[str, ...]]:
        return -found[names].cost_usd_micros, -found[names].calls, names

    day = by.index(Group.DAY) if Group.DAY in by else None
    kept = sorted(found, key=cost)[:most]
    if day is not None:
        kept.sort(key=lambda names: names[day])
    lines = tuple(Line(names, found[names]) for names in kept)
    return Report(by, lines, total, is_cut=len(kept) < len(found))


def day_name(number: int) -> str:
    """Return the date of the day that is so many after 1970-01-01."""
    return (_DAY_ZERO + timedelta(days=number)).date().isoformat()


def moment_of(text: str, now: float) -> float:
    """Return the Unix time that `text` means: 30d, 12h or 90m before `now`, or an ISO 8601 date.

    Without an offset that is in UTC. Raises ValueError.
    """
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    if found is not None:
        return now - int(found[1]) * _UNITS_S[found[2]]
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except OverflowError:
        raise ValueError(text) from None


def _json(sums: Sums) -> dict[str, Any]:  # Any: JSON.
    return {name: getattr(sums, name) for name in SUMS}
