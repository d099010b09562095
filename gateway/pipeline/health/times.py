"""How long the last answers of a target took: enough of them for a percentile."""

from math import ceil

_KEPT = 100
_ENOUGH = 20
"""With fewer the slowest of them would be the percentile."""
_SHARE = 0.95


class Times:
    """The last hundred times, in seconds."""

    __slots__ = ("_known", "_next")

    def __init__(self) -> None:
        self._known: list[float] = []
        self._next = 0

    def add(self, seconds: float) -> None:
        """Keep one more, in place of the oldest once there are enough."""
        if len(self._known) < _KEPT:
            self._known.append(seconds)
        else:
            self._known[self._next] = seconds
            self._next = (self._next + 1) % _KEPT

    @property
    def p95_s(self) -> float | None:
        """The seconds within which 95 of 100 came, None before 20 are known."""
        if len(self._known) < _ENOUGH:
            return None
        return sorted(self._known)[ceil(_SHARE * len(self._known)) - 1]
