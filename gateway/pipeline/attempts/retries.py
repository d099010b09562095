"""Whether one more attempt is worth its price, and how long to wait before it."""

from random import random
from typing import Protocol

from gateway.config.routing import Retries as Settings
from gateway.config.section import Rate
from gateway.schema.failure import Failure
from gateway.sdk.providers import Clock

REPEATABLE = frozenset({Failure.RATE_LIMIT, Failure.TRANSIENT})
"""What may be gone a moment later at the same target, and costs little to find out."""
_SLACK_S = 0.01
"""Timers may be early, and who said "in 9 s" refuses after 8.999."""


class BudgetSettings(Protocol):
    """What a section says of a budget of attempts."""

    @property
    def budget_percent(self) -> float:
        """How many of a hundred calls may cost an attempt more."""

    @property
    def floor(self) -> Rate:
        """What they may cost besides."""


class RetryBudget:
    """Attempts besides the first of each call, for a whole process: a share of all calls.

    Without it those who try again keep an upstream down that has too much to do.
    """

    def __init__(self, settings: BudgetSettings, clock: Clock) -> None:
        self._clock = clock
        self.adjust(settings)
        self._left = self._most
        self._filled = clock.monotonic()

    def adjust(self, settings: BudgetSettings) -> None:
        """Go on with what a reload says; what is left stays, as far as it may."""
        count, period_s = settings.floor
        self._share = settings.budget_percent / 100
        self._most = float(count)
        self._refill = count / period_s

    def earn(self) -> None:
        """Count a call."""
        self._left += self._share

    def take(self) -> bool:
        """Take one attempt, if one is left."""
        now = self._clock.monotonic()
        refilled = self._left + (now - self._filled) * self._refill
        self._left, self._filled = min(refilled, self._most), now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def pause_s(settings: Settings, times: int, told_s: float | None, left_s: float) -> float | None:
    """Return the seconds to wait before the retry after `times` of them; None: don't.

    Full jitter, after what the upstream `told_s`; `left_s` is until the call's deadline.
    """
    spread_s = min(settings.base_s * 2.0**times, settings.longest_s)
    waits_s = random() * spread_s  # noqa: S311 - no secret.
    if told_s is not None:
        waits_s += max(told_s, 0.0) + _SLACK_S
        if told_s > settings.longest_s:
            return None
    return waits_s if waits_s < left_s else None
