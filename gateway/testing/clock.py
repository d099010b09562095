"""Time that a test sets."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


class ManualClock:
    """A `gateway.sdk.Clock` that stands still until `advance` is called.

    Both readings move together until `set_wall`. The monotonic one starts at 1,000 s, so that
    nobody takes 0 for "never".
    """

    def __init__(self, *, start: datetime = _EPOCH) -> None:
        self._start = start
        self._passed_s = 0.0

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return 1000.0 + self._passed_s

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return self._start + timedelta(seconds=self._passed_s)

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock forward, or back, as an operator does; the monotonic one goes on."""
        self._start += timedelta(seconds=seconds)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; raise `ValueError` for a negative number."""
        if seconds < 0:
            msg = f"time does not go back: advance({seconds})"
            raise ValueError(msg)
        self._passed_s += seconds
