"""The gate of a provider: how many calls are in flight to it, and how fast they start."""

import asyncio
from collections import deque

from aiolimiter import AsyncLimiter

from gateway.config.upstreams import Provider


class GateFullError(Exception):
    """As many callers wait at the gate as may."""


class Gate:
    """`concurrent` calls in flight, `queue` more waiting, starts spaced by `pace`.

    aiolimiter's bucket of n refilled at r a minute spaces the starts; a plain `AsyncLimiter(r, 60)`
    would let 2r through in the first minute.
    """

    def __init__(self, section: Provider) -> None:
        self._concurrent = section.concurrent
        self._queue = section.queue
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._limiter: AsyncLimiter | None = None
        if section.pace is not None:
            count, period_s = section.pace.rate
            burst = section.pace.burst
            self._limiter = AsyncLimiter(burst, burst * period_s / count)
        self._taken = 0
        self._paced = 0

    @property
    def waiting(self) -> int:
        """How many callers wait, for a place or for their start."""
        return len(self._waiters) + self._paced

    @property
    def in_flight(self) -> int:
        """How many calls are at the provider."""
        return self._taken - self._paced

    async def enter(self) -> None:
        """Wait for a place; `leave` must follow. Raises `GateFullError` when the queue is full."""
        if self._taken < self._concurrent and not self._waiters:
            self._taken += 1
        else:
            await self._wait()
        if self._limiter is not None:
            await self._pace(self._limiter)

    def leave(self) -> None:
        """Give the place to the next."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)  # The place changes hands: it was never free.
                return
        self._taken -= 1

    async def _wait(self) -> None:
        if self.waiting >= self._queue:
            raise GateFullError
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
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
