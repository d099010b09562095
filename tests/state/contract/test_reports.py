"""Reports of the ledger on each database, and of what memory holds of it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.config.database import Place
from gateway.state.errors import StateError
from gateway.state.keys import Key
from gateway.state.memory_ledger import MemoryLedger
from gateway.state.memory_usage import MemoryReports
from gateway.state.sql import reports
from gateway.state.sql.database import consult, transact
from gateway.state.sql.keys import add_key
from gateway.state.sql.reports import SqlReports
from gateway.state.sql.usage import entries, report
from gateway.state.usage import Group, Wanted
from tests.state.contract.databases import made, rows_of
from tests.state.entries import ENTRY, entry
from tests.state.kept_calls import DAY_S, keep, kept_call

ALICE = Key("key_a", "d1", "dg-aaaaaa", "a", "Alice", ("ci", "eu"), "default", 0.0)
BOB = Key("key_b", "d2", "dg-bbbbbb", "b", "", ("ci",), "default", 0.0)
ENDLESS = {
    "sqlite": "WITH RECURSIVE c(x) AS (VALUES(1) UNION ALL SELECT x FROM c) SELECT sum(x) FROM c",
    "postgresql": "SELECT pg_sleep(600)",
}


@pytest.fixture
async def used(place: Place) -> Place:
    """A database with some calls of two keys and of nobody, over three days."""
    await made(place)

    async def fill(connection: AsyncConnection) -> None:
        await add_key(connection, ALICE)
        await add_key(connection, BOB)
        await keep(
            connection,
            kept_call(at=DAY_S * 1.6, key_id="key_a", model="größe 😀", cost_usd_micros=2**40),
            kept_call(at=DAY_S * 1.9999999, key_id="key_b", input_tokens=2**40, audio_s=0.5),
            kept_call(at=DAY_S * 2, cost_usd_micros=None, is_estimated=True, failure="quota"),
            kept_call(at=DAY_S * 19000.5, key_id="key_gone", cost_usd_micros=7, target=""),
        )

    await transact(place, fill)
    return place


async def counted(place: Place, *by: str, **wanted: Any) -> dict[Any, int]:
    """Return how many calls each line of a report has."""
    groups = tuple(map(Group, by))
    found = await consult(place, lambda one: report(one, Wanted(groups, **wanted)))
    return {line.names if len(by) > 1 else line.names[0]: line.sums.calls for line in found.lines}


async def test_days_are_cut_off_at_midnight_of_utc(used: Place) -> None:
    assert await counted(used, "day") == {"1970-01-02": 2, "1970-01-03": 1, "2022-01-08": 1}


async def test_owners_and_tags_are_those_of_the_keys(used: Place) -> None:
    assert await counted(used, "owner") == {"Alice": 1, "-": 3}
    assert await counted(used, "tag") == {"ci": 2, "eu": 1, "-": 2}


async def test_several_are_told_apart_at_once(used: Place) -> None:
    assert await counted(used, "day", "model", "key", "target", "owner", "tag") == {
        ("1970-01-02", "größe 😀", "key_a", "p/m", "Alice", "ci"): 1,
        ("1970-01-02", "größe 😀", "key_a", "p/m", "Alice", "eu"): 1,
        ("1970-01-02", "m", "key_b", "p/m", "-", "ci"): 1,
        ("1970-01-03", "m", "-", "p/m", "-", "-"): 1,
        ("2022-01-08", "m", "key_gone", "-", "-", "-"): 1,
    }


async def test_sums_are_exact_and_a_report_can_be_of_a_time_or_of_a_key(used: Place) -> None:
    total = (await consult(used, lambda one: report(one, Wanted()))).total

    assert (total.calls, total.failures, total.tokens_in) == (4, 1, 2**40)
    assert (total.cost_usd_micros, total.unpriced_calls) == (2**40 + 7, 1)
    assert (total.audio_s, total.estimated_calls) == (0.5, 1)
    assert await counted(used, "key", since=DAY_S * 2, until=DAY_S * 3) == {"-": 1}
    assert await counted(used, "key", key_id="") == {"-": 1}


async def test_a_report_that_may_be_cut_has_the_dearest_lines(
    used: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.state.sql.usage.MAX_LINES", 2)
    wanted = Wanted((Group.KEY,))

    found = await consult(used, lambda one: report(one, wanted, may_cut=True))

    assert [line.names[0] for line in found.lines] == ["key_a", "key_gone"]
    assert (found.is_cut, found.total.calls) == (True, 4)


async def test_an_export_reads_in_batches_the_oldest_first(used: Place) -> None:
    async def fill(connection: AsyncConnection) -> None:
        await keep(connection, *(kept_call(at=float(number)) for number in range(2500)))

    async def read(connection: AsyncConnection) -> list[list[Any]]:
        return [[row[1] for row in rows] async for rows in entries(connection, Wanted())]

    await transact(used, fill)

    batches = await consult(used, read)

    assert [len(batch) for batch in batches] == [1000, 1000, 504]
    times = [at for batch in batches for at in batch]
    assert times == sorted(times)


async def test_a_running_gateways_report_names_keys_as_its_operator_does(used: Place) -> None:
    running = SqlReports(used)

    by_id = await running.report(Wanted(), "key_a")
    by_prefix = await running.report(Wanted(), "dg-aaaaaa")
    nobody = await running.report(Wanted(), "-")

    assert [one.total.calls for one in (by_id, by_prefix, nobody)] == [1, 1, 1]
    running.close()


async def test_a_report_that_nobody_waits_for_ends(
    used: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def endless(connection: AsyncConnection, *_: Any, **__: Any) -> Any:
        loop.call_soon_threadsafe(begun.set)
        try:
            await connection.exec_driver_sql(ENDLESS[connection.dialect.name])
        finally:
            loop.call_soon_threadsafe(ended.set)

    monkeypatch.setattr(reports, "report", endless)
    running = SqlReports(used)
    asked = asyncio.ensure_future(running.report(Wanted(), None))
    await begun.wait()

    asked.cancel()
    async with asyncio.timeout(60):
        await ended.wait()
    monkeypatch.setattr(reports, "report", report)

    assert (await running.report(Wanted(), None)).total.calls == 4
    running.close()


async def test_a_report_of_a_database_without_tables_says_so(used: Place) -> None:
    running = SqlReports(used)
    await rows_of(used, "DROP TABLE calls")

    with pytest.raises(StateError, match=r"state\.url|cannot be used"):
        await running.report(Wanted(), None)
    running.close()


async def test_memory_reports_as_a_database_does(used: Place) -> None:
    ledger = MemoryLedger()
    given = [
        entry("req_1", at=DAY_S * 1.5),
        entry("req_2", at=DAY_S * 2, cost_usd_micros=5, failure="quota", target=""),
        entry("req_3", at=DAY_S * 2.5, cost_usd_micros=9, model="other"),
    ]
    for one in given:
        await ledger.record(one)
    await rows_of(used, "DELETE FROM calls")
    await transact(used, lambda one: keep(one, *map(row, given)))
    wanted = Wanted((Group.DAY, Group.MODEL, Group.TARGET, Group.KEY, Group.OWNER), since=DAY_S)

    in_memory = await MemoryReports(ledger).report(wanted, None)

    assert in_memory == await consult(used, lambda one: report(one, wanted))
    assert ENTRY.usage.is_estimated


def row(one: Any) -> dict[str, Any]:
    """Return the entry as the database has it."""
    from gateway.state.sql.calls import object_of, row_of  # noqa: PLC0415 - here alone.

    return object_of(row_of(one))
