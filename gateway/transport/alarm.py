"""Bounds in time that are cheap to set and to move."""

import asyncio
from abc import ABC, abstractmethod
from math import inf
from typing import Final

_GRAIN_S: Final = 0.01
"""The timer wakes no more often than that, however many bounds pass one after the other."""


class Alarms:
    """The one timer behind any number of alarms.

    Setting, moving and unsetting an alarm is a store and a set operation. A timer of its own would
    cost a request 4 µs, and `asyncio.timeout` around each piece of a stream 3 µs.
    """

    __slots__ = ("_armed", "_loop", "_timer", "_wakes")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._armed: set[Alarm] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._wakes = inf

    def now(self) -> float:
        """Return the loop's time, which all alarms go by."""
        return self._loop.time()

    def arm(self, alarm: "Alarm", due: float) -> None:
        """Ring `alarm` once `due` has passed."""
        alarm.due = due
        self._armed.add(alarm)
        if due < self._wakes:
            self._wake_at(due)

    def disarm(self, alarm: "Alarm") -> None:
        """Don't ring `alarm`; the timer may wake for nothing."""
        self._armed.discard(alarm)

    def close(self) -> None:
        """Ring nobody any more."""
        self._armed.clear()
        self._wake_at(inf)

    def _wake_at(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due == inf else self._loop.call_at(due, self._wake)
        self._wakes = due

    def _wake(self) -> None:
        now = self._loop.time()
        for alarm in [alarm for alarm in self._armed if alarm.due <= now]:
            self._armed.discard(alarm)
            alarm.ring()
        first = min((alarm.due for alarm in self._armed), default=inf)
        self._wake_at(max(first, now + _GRAIN_S))


class Alarm(ABC):
    """What has a bound, and rings once when that passes.

    A base, not a part: an object more for each request, and the cycle with its owner, would cost.
    """

    __slots__ = ("_alarms", "_last", "due")

    def __init__(self, alarms: Alarms, *, last: float = inf) -> None:
        """`last` is a reading of the loop's time that no bound goes past."""
        self._alarms = alarms
        self._last = last
        self.due = inf

    @abstractmethod
    def ring(self) -> None:
        """Hear that the bound has passed."""

    @property
    def is_past_last(self) -> bool:
        """Whether nothing can be in time any more."""
        return self._alarms.now() >= self._last

    def within(self, seconds: float | None) -> bool:
        """Ring in `seconds` (None: at `last`) unless turned off before.

        False, and no ring, if `last` has passed.
        """
        now = self._alarms.now()
        last = self._last
        if now >= last:
            return False
        due = last if seconds is None or now + seconds > last else now + seconds
        if due < inf:
            self._alarms.arm(self, due)
        return True

    def off(self) -> None:
        """Ring no more until the next `within`."""
        self._alarms.disarm(self)
