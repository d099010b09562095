"""Counters of one process, on the monotonic clock."""

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sdk.providers import Clock
from gateway.state.counters import CONCURRENT, Demand, Refused, Saved, Share, Standing, Used, Window

_HALF_MS = 0.0005
"""Rounds seconds to thousandths, before they are rounded up to whole ones."""
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

    __slots__ = ("_counters", "_is_held", "_key", "_taken", "windows")

    def __init__(
        self,
        counters: "MemoryCounters",
        key: str,
        taken: list[tuple[Share, _Counted]],
        windows: tuple[Window, ...],
    ) -> None:
        self._counters = counters
        self._key = key
        self._taken = taken
        self._is_held = True
        self.windows = windows

    def release(self) -> None:
        """End the call."""
        if self._is_held:
            self._is_held = False
            self._counters.leave(self._key)

    def settle(self, name: str, amount: int) -> None:
        """See `Lease.settle`."""
        for number, (share, counted) in enumerate(self._taken):
            if share.name == name:
                window = self._counters.change(counted, amount - share.amount, self.windows[number])
                self._taken[number] = (share._replace(amount=amount), counted)
                self.windows = (*self.windows[:number], window, *self.windows[number + 1 :])


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

    async def take(self, demand: Demand) -> MemoryLease | Refused:
        """Count one call against its windows and the calls in flight, or none of them."""
        now = self._clock.monotonic()
        found = []
        for share in demand.shares:
            counted = self._find(share, now)
            if (counted.used if counted else 0) + share.amount > share.limit:
                return Refused(share.name, self._window(share, counted, now))
            found.append(counted)
        running = self._in_flight.get(demand.key, 0)
        if running >= demand.concurrent:
            return Refused(CONCURRENT, self._window(demand.shares[0], found[0], now))
        taken = []
        windows = []
        for share, before in zip(demand.shares, found, strict=True):
            counted = before or self._open(share, now)
            counted.used += share.amount
            self._note(counted)
            taken.append((share, counted))
            windows.append(self._window(share, counted, now))
        self._in_flight[demand.key] = running + 1
        return MemoryLease(self, demand.key, taken, tuple(windows))

    async def look(self, demand: Demand) -> Standing:
        """See `Counters.look`."""
        now = self._clock.monotonic()
        found = [self._find(share, now) for share in demand.shares]
        windows = [Used(one.used, one.resets_at) if one else Used(0, None) for one in found]
        return Standing(tuple(windows), self._in_flight.get(demand.key, 0))

    def leave(self, key: str) -> None:
        """One call of `key` less in flight."""
        running = self._in_flight.get(key, 0) - 1
        if running > 0:
            self._in_flight[key] = running
        else:
            self._in_flight.pop(key, None)

    def change(self, counted: _Counted, by: int, window: Window) -> Window:
        """Count `by` more or fewer in `counted` if its window still runs; return how it stands."""
        if counted.ends <= self._clock.monotonic():
            return window
        counted.used = max(0, counted.used + by)
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

    def _find(self, share: Share, now: float) -> _Counted | None:
        windows = self._windows.get(share.period_s)
        counted = windows.get(share.key) if windows else None
        if windows and counted is not None and counted.ends <= now:
            del windows[share.key]
            return None
        return counted

    def _open(self, share: Share, now: float) -> _Counted:
        windows = self._windows.setdefault(share.period_s, OrderedDict())
        # Windows of one period end in the order they began, so the ended ones are in front.
        while windows:
            oldest = next(iter(windows.values()))
            if oldest.ends > now and len(windows) < self._capacity:
                break
            windows.popitem(last=False)
        counted = windows[share.key] = _Counted(
            share.key, share.period_s, 0, now + share.lasts_s, self._resets_at(share)
        )
        return counted

    def _window(self, share: Share, counted: _Counted | None, now: float) -> Window:
        if counted is None:
            return Window(share.limit, share.limit, self._resets_at(share), share.lasts_s)
        remaining = max(0, share.limit - counted.used)
        left_s = math.ceil(counted.ends - now - _HALF_MS)
        return Window(share.limit, remaining, counted.resets_at, left_s)

    def _resets_at(self, share: Share) -> int:
        return math.ceil(self._clock.now().timestamp() + share.lasts_s)

    def _note(self, counted: _Counted) -> None:
        if self._is_kept:
            self._changed.add((counted.period_s, counted.key))

    def _wall_offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
