"""Counters for as long as the server is down, as `state.on_state_down` says."""

import math
from typing import Literal

from gateway.schema.failure import CallError
from gateway.sdk.providers import Clock
from gateway.state.condition import Condition
from gateway.state.counters import Counters, Demand, Lease, Refused, Share, Standing, Window

Policy = Literal["open", "closed", "local_share"]
_SOON_S = 1


class UncountedLease:
    """A call that nobody counts."""

    def __init__(self, windows: tuple[Window, ...]) -> None:
        self.windows = windows

    def release(self) -> None:
        """See `Lease.release`: there is nothing to free."""

    def settle(self, name: str, amount: int) -> None:
        """See `Lease.settle`: there is nothing to correct."""


class WithoutServer:
    """Admits every call, none, or this process's share of each limit: one of `replicas` equal ones.

    The share is counted by `own`, and is never less than 1 of a limit that is not 0.
    """

    def __init__(
        self, policy: Policy, own: Counters, *, replicas: int, clock: Clock, condition: Condition
    ) -> None:
        self._policy = policy
        self._own = own
        self._replicas = replicas
        self._clock = clock
        self._condition = condition

    async def take(self, demand: Demand) -> Lease | Refused:
        """See `Counters.take`. Raises `CallError`, `unavailable`, where calls are not admitted."""
        self._condition.uncounted_calls += 1
        match self._policy:
            case "closed":
                message = "calls cannot be counted now, so none are taken; try again soon"
                raise CallError("unavailable", message, retry_after_s=_SOON_S)
            case "open":
                return UncountedLease(tuple(map(self._untouched, demand.shares)))
            case "local_share":
                shares = tuple(
                    share._replace(limit=self._part(share.limit)) for share in demand.shares
                )
                concurrent = self._part(demand.concurrent)
                return await self._own.take(Demand(demand.key, concurrent, shares))

    async def look(self, demand: Demand) -> Standing:
        """See `Counters.look`: what this process has counted by itself."""
        return await self._own.look(demand)

    def _part(self, limit: int) -> int:
        return max(limit // self._replicas, min(limit, 1))

    def _untouched(self, share: Share) -> Window:
        resets_at = math.ceil(self._clock.now().timestamp() + share.lasts_s)
        return Window(share.limit, share.limit, resets_at, share.lasts_s)
