"""The ledger on each database: what was recorded is kept once, whatever becomes of the database."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config.database import Place
from gateway.config.ledger import Ledger as Section
from gateway.state.memory import MemoryCounters
from gateway.state.sql.keeper import KeptState, open_kept
from gateway.testing.clock import ManualClock
from tests.state.contract.databases import made, rows_of
from tests.state.entries import ENTRY, entries, entry
from tests.web.raw_http import becomes

Begin = Callable[..., Awaitable[KeptState]]


@pytest.fixture
async def begin(place: Place, tmp_path: Path) -> AsyncIterator[Begin]:
    """Open the state as a start does, its writer running; it is closed at the end."""
    await made(place)
    running: list[tuple[KeptState, asyncio.Future[None]]] = []

    async def start(clock: ManualClock | None = None, **section: Any) -> KeptState:
        clock = clock or ManualClock()
        state = await open_kept(
            place,
            MemoryCounters(clock, is_kept=True),
            clock,
            section=Section(**section),
            folder=tmp_path / "spool",
        )
        running.append((state, asyncio.ensure_future(state.keep())))
        return state

    yield start
    for state, keeping in running:
        await state.aclose()
        await keeping


async def names_in(place: Place) -> list[str]:
    """Return the request ids that the database has, once for each row."""
    return [row[0] for row in await rows_of(place, "SELECT request_id FROM calls ORDER BY 1")]


async def test_an_entry_is_in_the_database_once_it_is_awaited(begin: Begin, place: Place) -> None:
    ledger = (await begin()).ledger

    await ledger.record(ENTRY)

    columns = "model, cost_usd_micros, queue_s, first_token_s, is_stream, is_aborted, images"
    (row,) = await rows_of(place, f"SELECT {columns} FROM calls")  # noqa: S608 - the test's own.
    assert row == ("openai", None, 0.25, None, True, False, 2)
    assert ledger.standing == (1, 0, True, "")


async def test_entries_that_come_at_once_are_each_kept_once(begin: Begin, place: Place) -> None:
    ledger = (await begin()).ledger
    waits = [ledger.record(one) for one in (*entries(1200), *entries(1200))]

    for wait in waits:
        await wait

    await becomes(lambda: ledger.standing == (1200, 0, True, ""))
    assert len(await names_in(place)) == 1200


@pytest.mark.parametrize(
    ("fields", "column", "kept"),
    [
        ({"model": "a\ud800b"}, "model", "a?b"),
        ({"model": "a\0b"}, "model", "a?b"),
        ({"target": "m" * 100_000}, "target", "m" * 256),
        ({"model": "жлг 🎲"}, "model", "жлг 🎲"),
        ({"images": 2**70}, "images", 2**63 - 1),
        ({"status": 2**70}, "status", 2**31 - 1),
        ({"attempts": -1}, "attempts", 0),
        ({"audio_s": math.nan}, "audio_s", 0.0),
        ({"cost_usd_micros": 2**64}, "cost_usd_micros", 2**63 - 1),
    ],
)
async def test_whatever_a_caller_sends_becomes_a_row(
    begin: Begin, place: Place, fields: dict[str, Any], column: str, kept: object
) -> None:
    ledger = (await begin()).ledger

    for one in (entry("req_0", **fields), entry("req_1")):
        await ledger.record(one)

    await becomes(lambda: ledger.standing == (2, 0, True, ""))
    rows = await rows_of(place, f"SELECT {column} FROM calls ORDER BY request_id")  # noqa: S608
    assert rows[0] == (kept,)


async def test_closing_keeps_what_has_just_come(begin: Begin, place: Place) -> None:
    state = await begin()
    state.ledger.record(ENTRY)

    await state.aclose()

    assert await names_in(place) == ["req_0"]


async def test_rows_older_than_their_retention_are_deleted_in_batches(
    begin: Begin, place: Place
) -> None:
    clock = ManualClock()
    before = await begin(clock)
    for wait in [before.ledger.record(one) for one in entries(1200)]:
        await wait
    await before.ledger.record(entry("young", at=ENTRY.at + 20 * 86_400))
    await before.aclose()
    clock.advance(31 * 86_400)

    await begin(clock, retention_days=30)

    names: list[str] = []
    async with asyncio.timeout(60):
        while names != ["young"]:
            await asyncio.sleep(0.05)
            names = await names_in(place)


async def test_a_row_that_the_database_refuses_holds_no_other_up(
    begin: Begin, place: Place
) -> None:
    ledger = (await begin()).ledger
    await rows_of(place, "CREATE UNIQUE INDEX picky ON calls (model, status) WHERE model = 'bad'")
    await ledger.record(entry("req_0", model="bad"))

    for wait in [ledger.record(one) for one in (*entries(4, begin=1), entry("req_5", model="bad"))]:
        await wait

    await becomes(lambda: ledger.standing.problem == "" and ledger.standing.spooled_rows == 0)
    assert await names_in(place) == [f"req_{number}" for number in range(5)]
    assert ledger.is_open


@pytest.mark.parametrize(
    "line", ['{"request_id": "req_9", "attempts": 1.5}', '{"request_id": "req_9", "status": 1e300}']
)
async def test_what_was_spooled_wrongly_holds_no_other_row_up(
    begin: Begin, place: Place, tmp_path: Path, line: str
) -> None:
    before = await begin()
    await before.aclose()
    (spool,) = (tmp_path / "spool").glob("calls-*-0.jsonl")
    spool.write_text(f'{line}\n{{"request_id": "req_0", "model": "m"}}\n')

    after = await begin()
    await becomes(lambda: after.ledger.standing == (2, 0, True, ""))

    assert "req_0" in await names_in(place)
