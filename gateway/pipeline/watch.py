"""Deadlines of calls, at the price of two attributes a wait."""

import asyncio
from math import inf
from time import monotonic
from types import TracebackType
from typing import Any, Self

_GRAIN_S = 0.01
"""The timer wakes no more often than that, however many waits end one after the other."""


precise_now = monotonic
"""The clock for what is told: uvloop's own has whole milliseconds, and stands still in between."""


class Watches:
    """The one timer behind all calls of a process.

    A timer of its own costs a call 5 µs, and `asyncio.timeout` around each chunk a quarter of
    forwarding it (2026-11, 2 cores).
    """

    __slots__ = ("_loop", "_timer", "_wakes", "open")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._wakes = inf
        self.open: set[Watch] = set()

    def now(self) -> float:
        """Return the loop's time, in seconds."""
        return self._loop.time()

    def wake_by(self, due: float) -> None:
        """See to it that the timer looks no later than `due`."""
        if due < self._wakes:
            if self._timer is not None:
                self._timer.cancel()
            self._wakes = due
            self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer, self._wakes = None, inf
        now, first = self._loop.time(), inf
        for watch in list(self.open):
            if watch.due <= now:
                watch.expire()
            elif watch.due < first:
                first = watch.due
        if first < inf:
            self.wake_by(max(first, now + _GRAIN_S))


class Watch:
    """Cancels the task that runs a call when one wait of it lasts too long.

    Armed before a wait, rested after it. Whoever catches the `CancelledError` asks `has_expired`,
    which takes the cancellation back. One from elsewhere is never taken.
    """

    __slots__ = ("_cancelling", "_deadline", "_is_due", "_task", "_watches", "began", "due")

    def __init__(self, watches: Watches, task: asyncio.Task[Any], total_s: float) -> None:
        self._watches = watches
        self._task = task
        self._cancelling = task.cancelling()
        self.began = precise_now()
        """A reading of `precise_now`."""
        self._deadline = watches.now() + total_s
        self._is_due = False
        self.due = inf

    def over(self, task: asyncio.Task[Any], total_s: float | None = None) -> "Watch":
        """Return a watch over another task for the same call, which began when it began.

        By the same deadline, unless it has its own.
        """
        watch = Watch(self._watches, task, total_s or 0)
        watch.began = self.began
        if total_s is None:
            watch._deadline = self._deadline
        return watch

    @property
    def deadline(self) -> float:
        """The end of the whole call, a reading of the loop's clock."""
        return self._deadline

    def now(self) -> float:
        """Return a reading of the loop's clock, in seconds."""
        return self._watches.now()

    def __enter__(self) -> Self:
        """Begin; nothing is armed yet."""
        self._watches.open.add(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Watch no more."""
        self._watches.open.discard(self)

    def arm(self, limit_s: float) -> None:
        """Let the wait that begins now last `limit_s` seconds, never past the call's deadline."""
        due = self._watches.now() + limit_s
        self.due = due if due < self._deadline else self._deadline  # noqa: FURB136 - per chunk.
        self._watches.wake_by(self.due)

    def rest(self) -> None:
        """Say that the wait is over."""
        self.due = inf

    def has_expired(self) -> bool:
        """Say whether the cancellation just caught is this watch's alone; if so it is undone."""
        if not self._is_due:
            return False
        self._is_due = False
        return self._task.uncancel() <= self._cancelling

    def expire(self) -> None:
        """Cancel the task; called by the timer."""
        self.due = inf
        self._is_due = True
        self._task.cancel()
