"""Rows X03 to X05: Valkey and PostgreSQL fail under gateways that keep their state there."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count

from gateway.config.database import PostgresPlace
from gateway.testing.script import reply
from tests.faults.asking import until, upstreams
from tests.faults.figures import ms
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row
from tests.faults.served import Served
from tests.postgres import PostgresServer, a_database, a_server, statement
from tests.valkey import running_valkey


async def _x03(ground: Ground) -> Reached:
    """Stop the Valkey of two gateways that share a limit; kill it; start it again."""
    limits = {"anonymous": {"requests": "100/hour", "concurrent": 1000}}
    with running_valkey() as valkey:
        state = {"valkey": valkey.url, "on_state_down": "local_share", "replicas": 2}
        async with _two(ground, limits, state) as nodes:
            with valkey.stopped():
                begun = time.perf_counter()
                statuses, slowest_s = await _asked_at_once(nodes, 250)
                took_s = time.perf_counter() - begun
            valkey.kill()
            refused = (await nodes[0].chat()).status
            valkey.start()
            healed_s = await _healed(nodes)
            later, _ = await _asked_at_once(nodes, 250)
    taken = statuses.count(200)
    is_met = taken <= 100 and set(statuses) <= {200, 429} and refused == 429
    return Reached(
        f"{taken} of 250 while it hung, slowest {ms(slowest_s)}, all in {took_s:.1f} s; "
        f"healed in {healed_s:.1f} s, then {later.count(200)}",
        is_met and later.count(200) == 100 and ground.is_in_time(healed_s, 2.0),
    )


async def _x05(ground: Ground) -> Reached:
    """Ask two gateways at once for more than both may give together."""
    limits = {"anonymous": {"requests": "100/hour", "concurrent": 1000}}
    with running_valkey() as valkey:
        async with _two(ground, limits, {"valkey": valkey.url}) as nodes:
            statuses, _ = await _asked_at_once(nodes, 250)
    taken = statuses.count(200)
    return Reached(f"{taken} of 250 at both together", taken == 100)


@asynccontextmanager
async def _two(
    ground: Ground, limits: Mapping[str, object], state: Mapping[str, object]
) -> AsyncGenerator[list[Served]]:
    """Start two gateways that share what `state` says."""
    async with upstreams() as (upstream,), AsyncExitStack() as stack:
        upstream.default = reply("hello")
        nodes = [
            await stack.enter_async_context(ground.facing(upstream.url, limits=limits, state=state))
            for _ in range(2)
        ]
        await _healed(nodes)
        yield nodes


async def _asked_at_once(nodes: list[Served], calls: int) -> tuple[list[int], float]:
    """Ask by turns; return the statuses, and how long the slowest took in seconds."""

    async def ask(node: Served) -> tuple[int, float]:
        begun = time.perf_counter()
        status = (await node.chat()).status
        return status, time.perf_counter() - begun

    asked = await asyncio.gather(*(ask(nodes[number % len(nodes)]) for number in range(calls)))
    return [status for status, _ in asked], max(took_s for _, took_s in asked)


async def _healed(nodes: list[Served]) -> float:
    """Wait until all can count together; return the seconds."""
    begun = time.perf_counter()
    async with asyncio.timeout(20):
        for node in nodes:
            while (await node.get("/health/readiness")).json()["shared"] != "ok":  # noqa: ASYNC110 - only it knows.
                await asyncio.sleep(0.01)
    return time.perf_counter() - begun


async def _x04(ground: Ground) -> Reached:
    """Kill PostgreSQL under load, start it, let it hang, and let it go on."""
    answered: set[str] = set()
    names = (f"up-{number}" for number in count())
    refused = 0

    async def ask(served: Served, over: asyncio.Event) -> None:
        nonlocal refused
        while not over.is_set():
            name = next(names)
            answer = await served.chat(model=name)
            if answer.status == 200:
                answered.add(name)
            else:
                refused += 1

    from tests.state.contract.databases import made  # noqa: PLC0415 - it brings alembic.

    with a_server() as server, a_database(server.url(), "faults") as url:
        await made(PostgresPlace(url))
        async with upstreams() as (upstream,):
            upstream.default = reply("hello")
            async with ground.facing(upstream.url, state={"url": url}) as served:
                over = asyncio.Event()
                load = asyncio.gather(*(ask(served, over) for _ in range(8)))
                await _in_between(server, answered)
                over.set()
                await load
                os.kill(served.pid, signal.SIGTERM)
                await asyncio.to_thread(os.waitid, os.P_PID, served.pid, os.WEXITED | os.WNOWAIT)
            # What was spooled last is replayed by the next start.
            async with ground.facing(upstream.url, state={"url": url}) as served:
                kept = await _rows(url, answered)
    lost, doubled = len(answered - set(kept)), len(kept) - len(set(kept))
    return Reached(
        f"{lost} lost, {doubled} doubled of {len(answered)} answered, {refused} refused",
        bool(answered) and not lost and not doubled,
    )


async def _in_between(server: PostgresServer, answered: set[str]) -> None:
    """Do it all, with some calls answered before and after each."""

    async def more(calls: int) -> None:
        wanted = len(answered) + calls
        await until(lambda: len(answered) >= wanted)

    await more(50)
    await asyncio.to_thread(server.kill)
    await more(50)
    await asyncio.to_thread(server.start)
    await more(50)
    server.signal(signal.SIGSTOP)
    await more(50)
    server.signal(signal.SIGCONT)
    await more(50)


async def _rows(url: str, wanted: set[str]) -> list[str]:
    """Return the models of all calls that are kept, once those wanted are, or after a while."""
    kept: list[str] = []
    try:
        async with asyncio.timeout(20):
            while not wanted <= set(kept):
                text = "SELECT model FROM calls"
                kept = [row[0] for row in await asyncio.to_thread(statement, url, text)]
                await asyncio.sleep(0.1)
    except TimeoutError:
        pass
    return kept


ROWS = (
    Row(
        "X03",
        "Valkey hangs, is killed, comes back; two gateways, 100 allowed",
        "at most 100, healed in 2 s",
        _x03,
        most_s=120,
        weakness={"state": {"on_state_down": "open"}},
    ),
    Row(
        "X04",
        "PostgreSQL is killed, comes back, hangs, goes on",
        "0 lost, 0 doubled",
        _x04,
        most_s=180,
        weakness={"state": {"url": "memory://"}},
    ),
    Row(
        "X05",
        "two gateways on one Valkey, 250 calls at once, 100 allowed",
        "exactly 100",
        _x05,
        defects=("counts_alone",),
    ),
)
