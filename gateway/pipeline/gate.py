"""The gate of a provider: how many calls are in flight to it, and how fast they start."""

import asyncio

from aiolimiter import AsyncLimiter

from gateway.config.document import Provider


class GateFullError(Exception):
    """As many callers wait at the gate as may."""


class Gate:
    """`concurrent` calls in flight, `queue` more waiting, starts spaced by `pace`.

    aiolimiter's bucket of n refilled at r a minute spaces the starts; a plain `AsyncLimiter(r, 60)`
    would let 2r through in the first minute.
    """

    def __init__(self, section: Provider) -> None:
        self._slots = asyncio.Semaphore(section.concurrent)
        self._queue = section.queue
        self._limiter: AsyncLimiter | None = None
        if section.pace is not None:
            count, period_s = section.pace.rate
            burst = section.pace.burst
            self._limiter = AsyncLimiter(burst, burst * period_s / count)
        self.waiting = 0
        self.in_flight = 0

    async def enter(self) -> None:
        """Wait for a place; `leave` must follow. Raises `GateFullError` when the queue is full."""
        has_to_wait = self._slots.locked() or (
            self._limiter is not None and (self.waiting > 0 or not self._limiter.has_capacity())
        )
        if has_to_wait and self.waiting >= self._queue:
            raise GateFullError
        self.waiting += 1
        try:
            await self._slots.acquire()
            if self._limiter is not None:
                try:
                    await self._limiter.acquire()
                except BaseException:
                    self._slots.release()
                    raise
        finally:
            self.waiting -= 1
        self.in_flight += 1

    def leave(self) -> None:
        """Give the place to the next."""
        self.in_flight -= 1
        self._slots.release()
