"""Where callers wait who would be refused: for a place of their own, or for their window to end."""

import asyncio
from collections import deque
from contextlib import suppress
from math import inf

from gateway.config.callers import Limits
from gateway.sdk.providers import Clock
from gateway.state.counters import Counters, Demand, Lease, Refused

_LOOK_S = 0.25
"""Between looks at limits that may be given back elsewhere."""


def waiting_room(counters: Counters, clock: Clock, limits: Limits) -> "WaitingRoom":
    """Return the room that `limits` wants."""
    return WaitingRoom(counters, clock, wait_s=limits.wait_s, places=limits.waiting)


class WaitingRoom:
    """Takes what calls demand, and lets `places` calls of each caller wait `wait_s` for it.

    Who came first is admitted first, and a newcomer waits behind them. With `wait_s` 0 nobody
    waits.
    """

    def __init__(self, counters: Counters, clock: Clock, *, wait_s: float, places: int) -> None:
        self._counters = counters
        self._clock = clock
        self._wait_s = wait_s
        self._places = places
        self._queues: dict[str, deque[asyncio.Event]] = {}

    def adjust(self, limits: Limits) -> None:
        """Go on with what a reload says; those who wait do so for as long as they came for."""
        self._wait_s, self._places = limits.wait_s, limits.waiting

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return sum(map(len, self._queues.values()))

    async def take(self, demand: Demand, most_s: float = inf) -> Lease | Refused:
        """Return the lease, or the last refusal when waiting is over or would not help.

        It is over after `most_s`, if that is less than `wait_s`.
        """
        wait_s = min(self._wait_s, most_s)
        queue = self._queues.get(demand.key)
        if queue is None:
            taken = await self._counters.take(demand)
            if not isinstance(taken, Refused) or not self._may_help(taken, wait_s):
                return taken
        elif len(queue) >= self._places:
            # Nothing can be free: those who wait would have it.
            return await self._counters.take(demand._replace(concurrent=0))
        return await self._wait(demand, wait_s)

    def left(self, key: str) -> None:
        """Let the first that waits look again: a call of the caller `key` is over."""
        if self._queues and (queue := self._queues.get(key)):
            queue[0].set()

    async def _wait(self, demand: Demand, wait_s: float) -> Lease | Refused:
        queue = self._queues.setdefault(demand.key, deque())
        turn = asyncio.Event()
        queue.append(turn)
        ends = self._clock.monotonic() + wait_s
        try:
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await turn.wait()
                turn.clear()
                left_s = ends - self._clock.monotonic()
                if queue[0] is not turn and left_s > 0:
                    continue
                taken = await self._counters.take(demand)
                if not isinstance(taken, Refused) or not self._may_help(taken, left_s):
                    return taken
        finally:
            queue.remove(turn)
            if queue:
                queue[0].set()
            else:
                del self._queues[demand.key]

    @staticmethod
    def _may_help(refused: Refused, left_s: float) -> bool:
        """Say whether what was refused may be free within `left_s`: places, or a window's end.

        Calls under way may give back tokens and money, but no requests.
        """
        if left_s <= 0:
            return False
        return refused.name != "requests" or refused.window.resets_in_s <= left_s
