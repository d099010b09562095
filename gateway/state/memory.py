"""Counters of one process, on the monotonic clock."""

import math
from collections import OrderedDict
from dataclasses import dataclass

from gateway.sdk.providers import Clock
from gateway.state.counters import Limit, Refused, Window


@dataclass(slots=True)
class _Counted:
    used: int
    ends: float
    resets_at: int


class MemoryLease:
    """One admitted call of `MemoryCounters`."""

    __slots__ = ("_counters", "_is_held", "_key", "window")

    def __init__(self, counters: "MemoryCounters", key: str, window: Window) -> None:
        self._counters = counters
        self._key = key
        self._is_held = True
        self.window = window

    def release(self) -> None:
        """End the call."""
        if self._is_held:
            self._is_held = False
            self._counters.leave(self._key)

    def refund(self) -> None:
        """Take the call out of the window, if that window still runs."""
        self.window = self._counters.give_back(self._key, self.window)


class MemoryCounters:
    """Counts in dictionaries of at most `capacity` callers.

    Past it the oldest window makes room: that caller starts anew. No `await` stands between a check
    and its count, so exactly the limit is admitted.
    """

    def __init__(self, clock: Clock, *, capacity: int = 100_000) -> None:
        self._clock = clock
        self._capacity = capacity
        self._windows: OrderedDict[str, _Counted] = OrderedDict()
        self._in_flight: dict[str, int] = {}

    async def take(self, limit: Limit) -> MemoryLease | Refused:
        """Count one call against the window and the calls in flight, or neither."""
        now = self._clock.monotonic()
        counted = self._windows.get(limit.key)
        if counted is not None and counted.ends <= now:
            del self._windows[limit.key]
            counted = None
        used = counted.used if counted else 0
        running = self._in_flight.get(limit.key, 0)
        if used >= limit.requests or running >= limit.concurrent:
            return Refused(self._window(limit, counted), is_window=used >= limit.requests)
        if counted is None:
            counted = self._open(limit, now)
        counted.used += 1
        self._in_flight[limit.key] = running + 1
        return MemoryLease(self, limit.key, self._window(limit, counted))

    def leave(self, key: str) -> None:
        """One call of `key` less in flight."""
        running = self._in_flight.get(key, 0) - 1
        if running > 0:
            self._in_flight[key] = running
        else:
            self._in_flight.pop(key, None)

    def give_back(self, key: str, window: Window) -> Window:
        """Uncount one call of `key` if the window it was counted in still runs."""
        counted = self._windows.get(key)
        if counted is None or counted.resets_at != window.resets_at or counted.used < 1:
            return window
        counted.used -= 1
        return window._replace(remaining=max(0, window.limit - counted.used))

    def _open(self, limit: Limit, now: float) -> _Counted:
        # Windows of one period end in the order they began, so the ended ones are in front.
        while self._windows:
            oldest = next(iter(self._windows.values()))
            if oldest.ends > now and len(self._windows) < self._capacity:
                break
            self._windows.popitem(last=False)
        resets_at = math.ceil(self._clock.now().timestamp() + limit.period_s)
        counted = self._windows[limit.key] = _Counted(0, now + limit.period_s, resets_at)
        return counted

    def _window(self, limit: Limit, counted: _Counted | None) -> Window:
        if counted is None:
            resets_at = math.ceil(self._clock.now().timestamp() + limit.period_s)
            return Window(limit.requests, limit.requests, resets_at, limit.period_s)
        left_s = math.ceil(counted.ends - self._clock.monotonic())
        remaining = max(0, limit.requests - counted.used)
        return Window(limit.requests, remaining, counted.resets_at, left_s)
