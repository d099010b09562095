"""The ledger while its server fails: answers go on, no row is lost, and none is there twice."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.config.database import PostgresPlace
from gateway.config.ledger import Ledger as Section
from gateway.state.memory import MemoryCounters
from gateway.state.sql.keeper import KeptState, open_kept
from gateway.testing.clock import ManualClock
from tests.postgres import statement
from tests.state.contract.databases import made
from tests.state.entries import entries
from tests.state.faults import Faulty, allow, deny, empty, fill
from tests.web.raw_http import becomes


async def kept(faulty: Faulty, folder: Path) -> KeptState:
    """Open the state as a start does, with a spool in `folder`."""
    place, clock = PostgresPlace(faulty.url), ManualClock()
    counters = MemoryCounters(clock, is_kept=True)
    return await open_kept(place, counters, clock, section=Section(), folder=folder)


@pytest.fixture
async def state(faulty: Faulty, tmp_path: Path) -> AsyncIterator[KeptState]:
    """State on that database, its writer running."""
    await made(PostgresPlace(faulty.url))
    state = await kept(faulty, tmp_path)
    keeping = asyncio.ensure_future(state.keep())
    yield state
    await state.aclose()
    await keeping


def names_in(faulty: Faulty) -> list[str]:
    """Return the request ids that the database has, once for each row."""
    return [row[0] for row in statement(faulty.admin_url, "SELECT request_id FROM calls")]


async def has(faulty: Faulty, wanted: list[str]) -> None:
    """Wait until the database has these rows and no other."""
    found: list[str] = []
    async with asyncio.timeout(60):
        while found != wanted:
            await asyncio.sleep(0.05)
            found = sorted(await asyncio.to_thread(names_in, faulty))


def names(count: int) -> list[str]:
    """Return the request ids of so many entries."""
    return sorted(f"req_{number}" for number in range(count))


async def given(state: KeptState, count: int, begin: int = 0) -> None:
    """Record so many at once, and wait until all are safe."""
    for wait in [state.ledger.record(one) for one in entries(count, begin=begin)]:
        await wait


FAULTS: dict[str, tuple[Callable[[Faulty], None], Callable[[Faulty], None]]] = {
    "killed": (lambda one: one.server.kill(), lambda one: one.server.start()),
    "ended": (lambda one: one.server.stop(), lambda one: one.server.start()),
    "stopped": (
        lambda one: one.server.signal(signal.SIGSTOP),
        lambda one: one.server.signal(signal.SIGCONT),
    ),
    "permission denied": (deny, allow),
    "too many connections": (fill, empty),
    "cut": (lambda one: one.cut(), lambda _: None),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_row_is_kept_once_whatever_becomes_of_the_server(
    state: KeptState, faulty: Faulty, fault: str
) -> None:
    breaks, heals = FAULTS[fault]
    await given(state, 3)

    await asyncio.to_thread(breaks, faulty)
    try:
        for number in range(3, 23):
            await given(state, 1, number)
        is_open = state.ledger.is_open
    finally:
        await asyncio.to_thread(heals, faulty)
    await given(state, 2, 23)

    await has(faulty, names(25))
    await becomes(lambda: state.ledger.standing.problem == "")
    await becomes(lambda: state.ledger.standing.spooled_rows == 0)
    assert is_open


@pytest.mark.slow
async def test_a_gateway_that_ends_while_its_server_has_stopped_leaves_its_rows_to_the_next(
    faulty: Faulty, tmp_path: Path
) -> None:
    await made(PostgresPlace(faulty.url))
    first = await kept(faulty, tmp_path)
    keeping = asyncio.ensure_future(first.keep())
    await given(first, 1)
    faulty.server.signal(signal.SIGSTOP)
    try:
        await given(first, 3, 1)
        first.ledger.record(entries(1, begin=4)[0])
        async with asyncio.timeout(20):
            await first.aclose()
            await keeping
    finally:
        faulty.server.signal(signal.SIGCONT)

    second = await kept(faulty, tmp_path)
    keeping = asyncio.ensure_future(second.keep())
    await has(faulty, names(5))
    await second.aclose()
    await keeping
