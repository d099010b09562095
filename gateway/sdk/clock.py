"""The clock that runs when no test sets it."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's clocks, as `Clock`; `monotonic` is the one that asyncio's loops read."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)
