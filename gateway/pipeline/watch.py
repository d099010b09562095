"""Deadlines of one call, at the price of two attributes a wait."""

import asyncio
from types import TracebackType
from typing import Self


class Watch:
    """Cancels the task that runs the call when one wait lasts too long.

    Armed before a wait, rested after it; one timer serves all waits of a call, since a per-chunk
    `asyncio.timeout` costs a quarter of forwarding the chunk. Whoever catches the `CancelledError`
    asks `has_expired`, which takes the cancellation back. One from elsewhere is never taken.
    """

    __slots__ = (
        "_cancelling",
        "_deadline",
        "_due",
        "_handle",
        "_is_due",
        "_loop",
        "_task",
        "_when",
    )

    def __init__(self, deadline: float) -> None:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        if task is None:
            msg = "a call runs in a task"
            raise RuntimeError(msg)
        self._task = task
        self._cancelling = task.cancelling()
        self._deadline = deadline
        self._due: float | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._when = 0.0
        self._is_due = False

    def __enter__(self) -> Self:
        """Begin; nothing is armed yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let go of the timer."""
        self._due = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def arm(self, limit_s: float) -> None:
        """Let the wait that begins now last `limit_s` seconds, never past the call's deadline."""
        due = self._loop.time() + limit_s
        due = min(due, self._deadline)
        self._due = due
        if self._handle is None or due < self._when:
            self._schedule(due)

    def rest(self) -> None:
        """Say that the wait is over."""
        self._due = None

    def has_expired(self) -> bool:
        """Say whether the cancellation just caught is this watch's alone; if so it is undone."""
        if not self._is_due:
            return False
        self._is_due = False
        return self._task.uncancel() <= self._cancelling

    def _schedule(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._when = when
        self._handle = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        self._handle = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._schedule(self._due)
            return
        self._due = None
        self._is_due = True
        self._task.cancel()
