"""Counters of one process, on the monotonic clock."""

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sdk.providers import Clock
from gateway.state.counters import Limit, Refused, Saved, Window

_STEP_S = 1.0
"""The wall clock has been set when it moved so much against the monotonic one."""


@dataclass(slots=True)
class _Counted:
    key: str
    period_s: int
    used: int
    ends: float
    resets_at: int


class MemoryLease:
    """One admitted call of `MemoryCounters`."""

    __slots__ = ("_counted", "_counters", "_is_held", "window")

    def __init__(self, counters: "MemoryCounters", counted: _Counted, window: Window) -> None:
        self._counters = counters
        self._counted = counted
        self._is_held = True
        self.window = window

    def release(self) -> None:
        """End the call."""
        if self._is_held:
            self._is_held = False
            self._counters.leave(self._counted.key)

    def refund(self) -> None:
        """Take the call out of the window, if that window still runs."""
        self.window = self._counters.give_back(self._counted, self.window)


class MemoryCounters:
    """Counts in dictionaries of at most `capacity` callers for each length of window.

    Past it the oldest window makes room: that caller starts anew. No `await` stands between a check
    and its count, so exactly the limit is admitted. With `is_kept` it notes which windows changed,
    for somebody who calls `changes`.
    """

    def __init__(self, clock: Clock, *, capacity: int = 100_000, is_kept: bool = False) -> None:
        self._clock = clock
        self._capacity = capacity
        self._windows: dict[int, OrderedDict[str, _Counted]] = {}
        self._in_flight: dict[str, int] = {}
        self._is_kept = is_kept
        self._changed: set[tuple[int, str]] = set()
        self._wall = self._wall_offset()

    async def take(self, limit: Limit) -> MemoryLease | Refused:
        """Count one call against the window and the calls in flight, or neither."""
        now = self._clock.monotonic()
        windows = self._windows.get(limit.period_s)
        if windows is None:
            windows = self._windows[limit.period_s] = OrderedDict()
        counted = windows.get(limit.key)
        if counted is not None and counted.ends <= now:
            del windows[limit.key]
            counted = None
        used = counted.used if counted else 0
        running = self._in_flight.get(limit.key, 0)
        if used >= limit.requests or running >= limit.concurrent:
            return Refused(self._window(limit, counted), is_window=used >= limit.requests)
        if counted is None:
            counted = self._open(limit, windows, now)
        counted.used += 1
        self._in_flight[limit.key] = running + 1
        self._note(counted)
        return MemoryLease(self, counted, self._window(limit, counted))

    def leave(self, key: str) -> None:
        """One call of `key` less in flight."""
        running = self._in_flight.get(key, 0) - 1
        if running > 0:
            self._in_flight[key] = running
        else:
            self._in_flight.pop(key, None)

    def give_back(self, counted: _Counted, window: Window) -> Window:
        """Uncount one call of `counted` if that window still runs."""
        if counted.ends <= self._clock.monotonic() or counted.used < 1:
            return window
        counted.used -= 1
        self._note(counted)
        return window._replace(remaining=max(0, window.limit - counted.used))

    def changes(self) -> list[Saved]:
        """Return the windows that changed since the last time, with their ends by today's clock.

        All that run, if the wall clock was set in between: what was told of them is wrong now.
        """
        offset = self._wall_offset()
        if abs(offset - self._wall) > _STEP_S:
            self._wall = offset
            self._changed.update(
                (period_s, key) for period_s, windows in self._windows.items() for key in windows
            )
        changed, self._changed = self._changed, set()
        found = []
        for period_s, key in changed:
            counted = self._windows[period_s].get(key)
            if counted is not None:
                found.append(Saved(key, period_s, counted.used, counted.ends + offset))
        return found

    def not_saved(self, windows: Iterable[Saved]) -> None:
        """Return `windows` the next time again: they could not be kept."""
        self._changed.update((window.period_s, window.key) for window in windows)

    def restore(self, windows: Iterable[Saved]) -> None:
        """Go on with what an earlier process counted.

        The wall clock is all that two processes share. A window that would begin in the future by
        it, or last longer than its period, ends a period from now: nobody is locked out for longer.
        """
        now, offset = self._clock.monotonic(), self._wall_offset()
        for window in sorted(windows, key=lambda one: one.ends_at):
            ends = min(window.ends_at - offset, now + window.period_s)
            running = self._windows.setdefault(window.period_s, OrderedDict())
            if ends > now and window.used > 0 and len(running) < self._capacity:
                resets_at = math.ceil(round(ends + offset, 3))
                running[window.key] = _Counted(
                    window.key, window.period_s, window.used, ends, resets_at
                )

    def _open(self, limit: Limit, windows: OrderedDict[str, _Counted], now: float) -> _Counted:
        # Windows of one period end in the order they began, so the ended ones are in front.
        while windows:
            oldest = next(iter(windows.values()))
            if oldest.ends > now and len(windows) < self._capacity:
                break
            windows.popitem(last=False)
        counted = windows[limit.key] = _Counted(
            limit.key, limit.period_s, 0, now + limit.period_s, self._resets_at(limit)
        )
        return counted

    def _window(self, limit: Limit, counted: _Counted | None) -> Window:
        if counted is None:
            return Window(limit.requests, limit.requests, self._resets_at(limit), limit.period_s)
        left_s = math.ceil(counted.ends - self._clock.monotonic())
        remaining = max(0, limit.requests - counted.used)
        return Window(limit.requests, remaining, counted.resets_at, left_s)

    def _resets_at(self, limit: Limit) -> int:
        return math.ceil(self._clock.now().timestamp() + limit.period_s)

    def _note(self, counted: _Counted) -> None:
        if self._is_kept:
            self._changed.add((counted.period_s, counted.key))

    def _wall_offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
