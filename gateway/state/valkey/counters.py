"""Counters that several processes share."""

import asyncio
import itertools
import math
import secrets
from typing import Final

from gateway.state.counters import (
    CONCURRENT,
    Counters,
    Demand,
    Lease,
    Refused,
    Share,
    Standing,
    Used,
    Window,
)
from gateway.state.valkey.commands import After, Commands, Down
from gateway.state.valkey.scripts import LOOK, RENEW, SETTLE, TAKE

LEASE_S: Final = 30.0
"""How long a lease outlives the process that held it."""
_RENEWALS: Final = 3
_NAMES_AT_ONCE: Final = 1000


class ValkeyLease:
    """One admitted call of `ValkeyCounters`.

    What it says of the windows is what the server said, and what it settled itself since.
    """

    __slots__ = ("_counters", "_demand", "_ends_ms", "_is_held", "_name", "_taken", "windows")

    def __init__(
        self,
        counters: "ValkeyCounters",
        demand: Demand,
        name: str,
        windows: tuple[Window, ...],
        ends_ms: tuple[int, ...],
    ) -> None:
        self._counters = counters
        self._demand = demand
        self._name = name
        self._ends_ms = ends_ms
        self._taken = [share.amount for share in demand.shares]
        self._is_held = True
        self.windows = windows

    def release(self) -> None:
        """End the call."""
        if self._is_held:
            self._is_held = False
            self._counters.leave(self._demand.key, self._name)

    def settle(self, name: str, amount: int) -> None:
        """See `Lease.settle`. A server that is lost while it is told may not have heard it."""
        for number, share in enumerate(self._demand.shares):
            by = amount - self._taken[number]
            if share.name != name or by == 0:
                continue
            self._taken[number] = amount
            self._counters.change(self._demand, share, by, self._ends_ms[number])
            window = self.windows[number]
            left = min(window.limit, max(0, window.remaining - by))
            windows = list(self.windows)
            windows[number] = window._replace(remaining=left)
            self.windows = tuple(windows)


class ValkeyCounters:
    """Counts on the server; `without` answers while that is down.

    A lease that is not renewed expires after `lease_s`: `keep` renews those that are held here.
    """

    def __init__(self, commands: Commands, without: Counters, *, lease_s: float = LEASE_S) -> None:
        self._commands = commands
        self._without = without
        self._lease_s = lease_s
        self._lease_ms = max(1, int(lease_s * 1000))
        self._process = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._held: dict[str, set[str]] = {}

    async def take(self, demand: Demand) -> Lease | Refused:
        """Count one call against all of `demand`, or none of it. Raises what `without` does."""
        name = f"{self._process}:{next(self._numbers)}"
        words: list[str | int] = ["EVALSHA", TAKE.sha, 1 + len(demand.shares), _leases(demand.key)]
        words += [_window(demand, share) for share in demand.shares]
        words += [demand.concurrent, self._lease_ms, name]
        for share in demand.shares:
            words += [share.amount, share.limit, share.lasts_s * 1000]
        try:
            answer = self._commands.ask(*words)
        except Down:
            return await self._without.take(demand)
        try:
            reply: list[int] = await answer
        except Down:
            # It may have been counted; the place at least is given back.
            self._forget(demand.key, name)
            return await self._without.take(demand)
        except asyncio.CancelledError:
            self._forget(demand.key, name)
            raise
        return self._judged(demand, name, reply)

    async def look(self, demand: Demand) -> Standing:
        """See `Counters.look`. While the server is down, it is what `without` has counted."""
        keys = [_leases(demand.key), *(_window(demand, share) for share in demand.shares)]
        try:
            reply: list[int] = await self._commands.ask("EVALSHA", LOOK.sha, len(keys), *keys)
        except Down:
            return await self._without.look(demand)
        _, in_flight, *pairs = reply
        windows = [
            Used(used, math.ceil(ends / 1000) if ends else None)
            for used, ends in zip(pairs[::2], pairs[1::2], strict=True)
        ]
        return Standing(tuple(windows), in_flight)

    def leave(self, key: str, name: str) -> None:
        """One call of `key` less in flight."""
        held = self._held.get(key)
        if held is not None:
            held.discard(name)
            if not held:
                del self._held[key]
        self._forget(key, name)

    def change(self, demand: Demand, share: Share, by: int, ends_ms: int) -> None:
        """Count `by` more or fewer in the window of `share` that ends at `ends_ms`."""
        window = _window(demand, share)
        self._commands.post("EVALSHA", SETTLE.sha, 1, window, by, ends_ms, after=After.UNSENT)

    async def keep(self) -> None:
        """Renew the leases until cancelled."""
        while True:
            await asyncio.sleep(self._lease_s / _RENEWALS)
            self.renew()

    def renew(self) -> None:
        """Renew the leases that are held here."""
        for key, held in self._held.items():
            names = list(held)
            for start in range(0, len(names), _NAMES_AT_ONCE):
                some = names[start : start + _NAMES_AT_ONCE]
                self._commands.post(
                    "EVALSHA", RENEW.sha, 1, _leases(key), self._lease_ms, *some, after=After.NEVER
                )

    def leave_all(self) -> None:
        """Give back every place that is held here: the process ends."""
        for key, held in list(self._held.items()):
            for name in list(held):
                self.leave(key, name)

    def _forget(self, key: str, name: str) -> None:
        self._commands.post("ZREM", _leases(key), name, after=After.ALWAYS)

    def _judged(self, demand: Demand, name: str, reply: list[int]) -> ValkeyLease | Refused:
        refused, now_ms, *pairs = reply
        shares = demand.shares
        windows = tuple(
            _stands(share, pairs[2 * number], pairs[2 * number + 1], now_ms)
            for number, share in enumerate(shares)
        )
        if refused > 0:
            return Refused(shares[refused - 1].name, windows[refused - 1])
        if refused < 0:
            return Refused(CONCURRENT, windows[0])
        self._held.setdefault(demand.key, set()).add(name)
        return ValkeyLease(self, demand, name, windows, tuple(pairs[1::2]))


def _stands(share: Share, used: int, ends_ms: int, now_ms: int) -> Window:
    ends_ms = ends_ms or now_ms + share.lasts_s * 1000
    remaining = max(0, share.limit - used)
    return Window(
        share.limit, remaining, math.ceil(ends_ms / 1000), math.ceil((ends_ms - now_ms) / 1000)
    )


def _leases(key: str) -> str:
    return f"dynagate:leases:{{{key}}}"


def _window(demand: Demand, share: Share) -> str:
    """Return the key of a window.

    What is one caller's is marked as such, in braces: its keys are on one node of a cluster. A
    window that several callers share has the same key for all of them.
    """
    caller = demand.key
    of_caller = share.key.endswith(caller)
    name = f"{share.key.removesuffix(caller)}{{{caller}}}" if of_caller else share.key
    return f"dynagate:window:{name}:{share.period_s}"
