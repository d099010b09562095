"""Counters on a Valkey, for tests of nothing else."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.background import Background
from gateway.state.condition import Condition
from gateway.state.counters import Counters, Demand, Lease, Refused, Share
from gateway.state.memory import MemoryCounters
from gateway.state.valkey.commands import Commands
from gateway.state.valkey.counters import ValkeyCounters
from gateway.state.valkey.scripts import ALL
from gateway.state.valkey.server import Server
from gateway.state.valkey.without import Policy, WithoutServer
from gateway.testing.clock import ManualClock

PATIENT_S = 30.0
"""Where a test is not about slowness, a busy machine is none."""


@asynccontextmanager
async def sharing(
    url: str,
    *,
    policy: Policy = "closed",
    replicas: int = 1,
    answer_s: float = PATIENT_S,
    lease_s: float = 30.0,
    condition: Condition | None = None,
) -> AsyncGenerator[ValkeyCounters]:
    """Yield counters as one process of a gateway has them."""
    condition, clock = condition or Condition("the server"), ManualClock()
    commands = Commands(
        Server(url),
        condition,
        "counters",
        scripts=[script.text for script in ALL],
        answer_s=answer_s,
    )
    own = MemoryCounters(clock)
    without = WithoutServer(policy, own, replicas=replicas, clock=clock, condition=condition)
    counters = ValkeyCounters(commands, without, lease_s=lease_s)
    commands.on_up = counters.renew
    background = Background()
    await commands.open()
    background.start("commands", commands.run())
    background.start("leases", counters.keep())
    try:
        yield counters
    finally:
        counters.leave_all()
        await commands.aclose()
        await background.aclose()


def calls(key: str, requests: int, period_s: int, concurrent: int) -> Demand:
    """What one call takes of a limit of so many requests."""
    share = Share("requests", key, 1, requests, period_s, period_s)
    return Demand(key, concurrent, (share,))


def call_of(tokens: int, *, limit: int = 100, lasts_s: int = 60) -> Demand:
    """What a call of so many tokens takes; requests are hardly limited."""
    return Demand(
        "a",
        10,
        (
            Share("requests", "a", 1, 1000, 3600, 3600),
            Share("tokens", "tokens:a", tokens, limit, 60, lasts_s),
        ),
    )


async def admitted(counters: Counters, demand: Demand) -> Lease:
    """Take a demand that fits."""
    taken = await counters.take(demand)
    assert not isinstance(taken, Refused), taken
    return taken


async def refused(counters: Counters, demand: Demand) -> Refused:
    """Take a demand that does not fit."""
    taken = await counters.take(demand)
    assert isinstance(taken, Refused)
    return taken


async def many(counters: Counters, demand: Demand, count: int) -> list[Lease]:
    """Take a demand so often at once; return those that were admitted."""
    taken = await asyncio.gather(*(counters.take(demand) for _ in range(count)))
    return [one for one in taken if not isinstance(one, Refused)]
