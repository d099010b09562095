"""Metrics of several processes as one: texts in Prometheus' format 0.0.4 in, one such text out."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import add

MAXED = ("_seconds", "_info", "_down", "_reload_failed")
"""Endings of gauges of which the largest is shown. Others are summed."""
MINNED = ("_open", "_generation")
"""Endings of gauges of which the smallest is shown: one process that is not open is news."""


@dataclass(slots=True)
class Exposition:
    """What one process told: each family's comments and type, and the value of each series."""

    comments: dict[str, list[str]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, float]] = field(default_factory=dict)

    def without_gauges(self) -> "Exposition":
        """Return what still counts of a process that has ended."""
        lasting = {name: rows for name, rows in self.values.items() if not self._is_gauge(name)}
        return Exposition(self.comments, self.types, lasting)

    def text(self) -> bytes:
        """Write it out."""
        lines: list[str] = []
        for name in self.types:
            lines += self.comments[name]
            lines += [f"{series} {value!r}" for series, value in self.values.get(name, {}).items()]
        return ("\n".join(lines) + "\n").encode()

    def _is_gauge(self, name: str) -> bool:
        return self.types[name] == "gauge"


def parsed(text: bytes) -> Exposition:
    """Return what our own metrics say; a family's comments stand before its series."""
    told, name = Exposition(), ""
    for line in text.decode().splitlines():
        if line.startswith("#"):
            _, word, name, *rest = line.split(" ", 3)
            told.comments.setdefault(name, []).append(line)
            if word == "TYPE":
                told.types[name] = rest[0]
                told.values[name] = {}
        elif line and name:
            series, _, value = line.rpartition(" ")
            told.values[name][series] = float(value)
    return told


def merged(expositions: Iterable[Exposition]) -> Exposition:
    """Return counters and histograms summed; gauges summed, or one of them, by their name."""
    whole = Exposition()
    for told in expositions:
        for name, kind in told.types.items():
            whole.types.setdefault(name, kind)
            whole.comments.setdefault(name, told.comments[name])
            rows = whole.values.setdefault(name, {})
            join = _join(name, kind)
            for series, value in told.values.get(name, {}).items():
                rows[series] = join(rows[series], value) if series in rows else value
    return whole


def _join(name: str, kind: str) -> Callable[[float, float], float]:
    if kind == "gauge" and name.endswith(MAXED):
        return max
    if kind == "gauge" and name.endswith(MINNED):
        return min
    return add
