"""What was measured, and the table that says it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Literal

from tests.bench.targets import Target

Samples = dict[Target, list[float]]
"""By target; what a bare proxy cannot do has none of its."""
Ceiling = tuple[Literal["x", "at most", "at least"], float]
"""`x`: so many times the bare proxy's figure; the others are about the gateway's figure itself."""

_COLUMNS = (34, 24, 24, 20, 12, 0)


@dataclass(frozen=True, slots=True)
class Quartiles:
    """The middle of some values."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        """Write median and range, to three digits or so."""
        return f"{_short(self.median)} [{_short(self.low)}-{_short(self.high)}]"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: a value of each target for each round."""

    name: str
    samples: Samples
    ceiling: Ceiling | None = None

    @property
    def ratios(self) -> list[float]:
        """The gateway's value over the bare proxy's, round by round."""
        pairs = zip(self.samples["gateway"], self.samples.get("bare", ()), strict=True)
        return [gateway / bare for gateway, bare in pairs]

    @property
    def is_missed(self) -> bool:
        """Whether the range of what the ceiling is about lies wholly on the wrong side of it."""
        if self.ceiling is None:
            return False
        kind, bound = self.ceiling
        held = quartiles(self.ratios if kind == "x" else self.samples["gateway"])
        return held.high < bound if kind == "at least" else held.low > bound

    def row(self) -> tuple[str, ...]:
        """Return the cells of the table."""
        gateway, bare, ratio = str(quartiles(self.samples["gateway"])), "", ""
        if "bare" in self.samples:
            bare, ratios = str(quartiles(self.samples["bare"])), quartiles(self.ratios)
            ratio = f"{ratios.median:.2f}x [{ratios.low:.2f}-{ratios.high:.2f}]"
        if self.ceiling is None:
            return self.name, bare, gateway, ratio, "", ""
        kind, bound = self.ceiling
        ceiling = {"x": f"{bound:g}x", "at most": f"<= {bound:g}", "at least": f">= {bound:g}"}
        verdict = "MISS" if self.is_missed else "ok"
        return self.name, bare, gateway, ratio, ceiling[kind], verdict

    def document(self) -> dict[str, object]:
        """Return every value, for machines."""
        return {
            "name": self.name,
            "samples": self.samples,
            "ratios": self.ratios if "bare" in self.samples else [],
            "ceiling": self.ceiling,
            "is_missed": self.is_missed,
        }


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return the quartiles of at least one value."""
    if len(values) == 1:
        return Quartiles(values[0], values[0], values[0])
    return Quartiles(*quantiles(values, method="inclusive"))


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as text: medians and quartiles, those of the ratio over its rounds."""
    rows: list[tuple[str, ...]] = [("", "bare proxy", "gateway", "ratio", "ceiling", "")]
    rows += [figure.row() for figure in figures]
    lines = ("".join(map(str.ljust, row, _COLUMNS)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
