"""The gate of a provider: how many calls are in flight to it, and how fast they start."""

import asyncio
from bisect import insort
from typing import NamedTuple, Protocol

from aiolimiter import AsyncLimiter

from gateway.config.upstreams import Pace, Provider


class GateFullError(Exception):
    """As many callers wait at the gate as may."""


class Places(Protocol):
    """What a call goes through on its way to a provider; `Gate` says how."""

    def enter_at_once(self) -> bool:
        """Take a place that is free now, if that is known without asking; `leave` must follow."""

    async def enter(self, priority: int = 0) -> None:
        """Wait for a place; `leave` must follow. Raises `GateFullError`."""

    def leave(self) -> None:
        """Give the place to the next."""


class _Waiter(NamedTuple):
    order: tuple[int, int]
    """Lower goes first: the priority turned round, then the number in the order of arrival."""
    turn: asyncio.Future[None]


class Gate:
    """`concurrent` calls in flight, `queue` more waiting, starts spaced by `pace`.

    Of those who wait the one with the highest priority goes first, then who came first.

    aiolimiter's bucket of n refilled at r a minute spaces the starts; a plain `AsyncLimiter(r, 60)`
    would let 2r through in the first minute.
    """

    def __init__(self, section: Provider) -> None:
        self._concurrent = section.concurrent
        self._queue = section.queue
        self._waiters: list[_Waiter] = []
        self._arrivals = 0
        self._pace_of = section.pace
        self._limiter = _limiter(section.pace)
        self._taken = 0
        self._paced = 0

    def adjust(self, section: Provider) -> None:
        """Go on with what a reload says of it.

        Those who are in stay in, though they be more than may now; those who wait for their start
        keep the pace that they came for.
        """
        self._concurrent, self._queue = section.concurrent, section.queue
        if section.pace != self._pace_of:
            self._pace_of, self._limiter = section.pace, _limiter(section.pace)
        while self._waiters and self._taken < self._concurrent:
            turn = self._waiters.pop(0).turn
            if not turn.done():
                self._taken += 1
                turn.set_result(None)

    @property
    def waiting(self) -> int:
        """How many callers wait, for a place or for their start."""
        return len(self._waiters) + self._paced

    @property
    def in_flight(self) -> int:
        """How many calls are at the provider."""
        return self._taken - self._paced

    def enter_at_once(self) -> bool:
        """See `Places.enter_at_once`."""
        if self._taken >= self._concurrent or self._waiters or self._limiter is not None:
            return False
        self._taken += 1
        return True

    async def enter(self, priority: int = 0) -> None:
        """Wait for a place; `leave` must follow. Raises `GateFullError` when the queue is full."""
        if self._taken < self._concurrent and not self._waiters:
            self._taken += 1
        else:
            await self._wait(priority)
        if self._limiter is not None:
            await self._pace(self._limiter)

    def leave(self) -> None:
        """Give the place to the next."""
        while self._waiters and self._taken <= self._concurrent:
            turn = self._waiters.pop(0).turn
            if not turn.done():
                turn.set_result(None)  # The place changes hands: it was never free.
                return
        self._taken -= 1

    async def _wait(self, priority: int) -> None:
        if self.waiting >= self._queue:
            raise GateFullError
        turn = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        waiter = _Waiter((-priority, self._arrivals), turn)
        insort(self._waiters, waiter, key=lambda one: one.order)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.leave()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    async def _pace(self, limiter: AsyncLimiter) -> None:
        if self._paced >= self._queue and not limiter.has_capacity():
            self.leave()
            raise GateFullError
        self._paced += 1
        try:
            await limiter.acquire()
        except BaseException:
            self.leave()
            raise
        finally:
            self._paced -= 1


def _limiter(pace: Pace | None) -> AsyncLimiter | None:
    if pace is None:
        return None
    count, period_s = pace.rate
    return AsyncLimiter(pace.burst, pace.burst * period_s / count)
