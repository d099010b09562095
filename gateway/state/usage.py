"""What has been used: the questions that a ledger can be asked, and their answers."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any


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

    def document(self) -> dict[str, Any]:  # Any: JSON.
        """Return it as JSON."""
        rows = [
            {**dict(zip(self.by, line.names, strict=True)), **_json(line.sums)}
            for line in self.lines
        ]
        return {"by": list(self.by), "rows": rows, "total": _json(self.total)}


def _json(sums: Sums) -> dict[str, Any]:  # Any: JSON.
    return {name: getattr(sums, name) for name in SUMS}
