"""The ledger on SQLite: every row safe before it is said so, whatever becomes of the file."""

import asyncio
import json
import math
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.config.ledger import Ledger as Section
from gateway.state.counters import Demand, Share
from gateway.state.memory import MemoryCounters
from gateway.state.memory_ledger import MemoryLedger
from gateway.state.sql.keeper import KeptState, open_kept
from gateway.state.sql.ledger import SqlLedger
from gateway.testing.clock import ManualClock
from tests.state.entries import ENTRY, entries, entry, names_in, rows_of
from tests.web.raw_http import becomes

Begin = Callable[..., Awaitable[KeptState]]
FIRST = "calls-*-0.jsonl"


@pytest.fixture
async def begin(file: Path) -> AsyncIterator[Begin]:
    """Open the state as a start does, its writer running; it is closed at the end."""
    running: list[tuple[KeptState, asyncio.Future[None]]] = []

    async def start(clock: ManualClock | None = None, **section: object) -> KeptState:
        clock = clock or ManualClock()
        counters = MemoryCounters(clock, is_kept=True)
        state = await open_kept(file, counters, clock, section=Section(**section))  # type: ignore[arg-type]  # A test's own.
        running.append((state, asyncio.ensure_future(state.keep())))
        return state

    yield start
    for state, keeping in running:
        await state.aclose()
        await keeping


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the database's lock, as another program may."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


@asynccontextmanager
async def moved_away(file: Path) -> AsyncIterator[None]:
    """Take the database away, as an operator may while the gateway runs."""
    aside = file.parent / "aside"
    aside.mkdir()
    for one in file.parent.glob(f"{file.name}*"):
        one.rename(aside / one.name)
    try:
        yield
    finally:
        for one in aside.iterdir():
            shutil.move(one, file.parent / one.name)


def spooled(file: Path) -> list[str]:
    """Return the request ids in the spool."""
    (spool,) = file.parent.glob(FIRST)
    return [json.loads(line)["request_id"] for line in spool.read_text("utf-8").splitlines()]


async def given(ledger: SqlLedger, count: int, begin: int = 0) -> None:
    """Give the ledger so many entries at once, and wait until all are safe."""
    waits = [ledger.record(one) for one in entries(count, begin=begin)]
    for wait in waits:
        await wait


async def test_an_entry_is_in_the_database_once_it_is_awaited(begin: Begin, file: Path) -> None:
    ledger = (await begin()).ledger

    await ledger.record(ENTRY)

    (row,) = rows_of(file)
    told = {**{name: getattr(ENTRY, name) for name in row if hasattr(ENTRY, name)}}
    assert told.items() <= row.items()
    usage = ENTRY.usage
    assert {
        name: getattr(usage, name) for name in row if hasattr(usage, name)
    }.items() <= row.items()
    assert row.keys() == told.keys() | {name for name in row if hasattr(usage, name)}
    assert ledger.standing == (1, 0, True, "")


async def test_entries_that_arrive_while_one_commit_runs_go_with_the_next(
    begin: Begin, file: Path
) -> None:
    ledger = (await begin()).ledger

    await given(ledger, 1200)

    assert len(names_in(file)) == 1200
    assert ledger.standing == (1200, 0, True, "")


async def test_an_entry_given_twice_is_one_row(begin: Begin, file: Path) -> None:
    ledger = (await begin()).ledger
    first, again = ledger.record(ENTRY), ledger.record(ENTRY)

    await first
    await again
    await ledger.record(replace(ENTRY, status=500))

    assert [row["status"] for row in rows_of(file)] == [200]


async def test_an_entry_that_nobody_waits_for_is_kept_as_well(begin: Begin, file: Path) -> None:
    ledger = (await begin()).ledger

    ledger.record(ENTRY)
    await ledger.record(entry("req_1"))

    assert names_in(file) == ["req_0", "req_1"]


async def test_closing_keeps_what_has_just_come(begin: Begin, file: Path) -> None:
    state = await begin()
    state.ledger.record(ENTRY)

    await state.aclose()

    assert names_in(file) == ["req_0"]


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"model": "a\ud800b"}, {"model": "a?b"}),
        ({"model": "a\0b"}, {"model": "a?b"}),
        ({"model": "m" * 100_000}, {"model": "m" * 256}),
        ({"model": "жлг 🎲"}, {"model": "жлг 🎲"}),
        ({"status": 2**70, "images": -1}, {"status": 2**31 - 1, "images": 0}),
        ({"total_s": math.inf, "audio_s": math.nan}, {"total_s": 0.0, "audio_s": 0.0}),
        ({"queue_s": math.nan, "cost_usd_micros": 2**64}, {"cost_usd_micros": 2**63 - 1}),
    ],
)
async def test_whatever_a_caller_sends_becomes_a_row(
    begin: Begin, file: Path, fields: dict[str, object], kept: dict[str, object]
) -> None:
    ledger = (await begin()).ledger

    await ledger.record(entry("req_0", **fields))
    await ledger.record(entry("req_1"))

    first, _second = rows_of(file)
    assert kept.items() <= first.items()
    assert ledger.standing.problem == ""


async def test_a_row_that_the_database_refuses_holds_no_other_up(begin: Begin, file: Path) -> None:
    ledger = (await begin()).ledger
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TRIGGER picky BEFORE INSERT ON calls WHEN NEW.model = 'bad' "
            "BEGIN SELECT RAISE(ABORT, 'no such model here'); END"
        )
    connection.close()
    waits = [ledger.record(one) for one in [*entries(3), entry("req_3", model="bad")]]

    for wait in waits:
        await wait

    assert names_in(file) == ["req_0", "req_1", "req_2"]
    assert ledger.is_open


async def test_what_a_locked_database_does_not_take_in_time_is_spooled_then_kept_once(
    begin: Begin, file: Path
) -> None:
    ledger = (await begin()).ledger

    with locked(file):
        await given(ledger, 3)
        held = (names_in(file), spooled(file), ledger.standing)
    await becomes(lambda: ledger.standing.spooled_rows == 0)
    await becomes(lambda: ledger.standing.problem == "")

    rows, spool, standing = held
    assert (rows, spool) == ([], ["req_0", "req_1", "req_2"])
    assert standing == (0, 3, True, "the database is slow")
    assert names_in(file) == ["req_0", "req_1", "req_2"]
    assert spooled(file) == []


async def test_a_row_that_is_committed_while_it_is_spooled_is_counted_once(
    begin: Begin, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = (await begin()).ledger
    spool = ledger._spool  # noqa: SLF001 - there is no other disk.
    append, forget = spool.append, spool.forget
    begun, may_end, is_replayed = threading.Event(), threading.Event(), threading.Event()

    def held(rows: Any) -> None:  # Any: JSON objects.
        begun.set()
        may_end.wait(10)
        append(rows)

    def forgotten() -> None:
        forget()
        is_replayed.set()

    monkeypatch.setattr(spool, "append", held)
    monkeypatch.setattr(spool, "forget", forgotten)
    with locked(file):
        kept = ledger.record(ENTRY)
        await becomes(begun.is_set)
    await becomes(lambda: len(names_in(file)) == 1)
    may_end.set()
    await kept

    await becomes(is_replayed.is_set)
    await becomes(lambda: ledger.standing == (1, 0, True, ""))


async def test_a_database_that_is_gone_and_comes_back_has_every_row_once(
    begin: Begin, file: Path
) -> None:
    ledger = (await begin()).ledger
    await given(ledger, 1)

    async with moved_away(file):
        await given(ledger, 4)
        assert ledger.standing.problem == "the database fails"
        assert ledger.is_open
    await becomes(lambda: ledger.standing.spooled_rows == 0)
    await given(ledger, 1, 4)

    assert names_in(file) == [f"req_{number}" for number in range(5)]
    assert ledger.standing.problem == ""


async def test_a_database_that_is_damaged_while_it_runs_loses_nothing_acknowledged(
    begin: Begin, file: Path
) -> None:
    ledger = (await begin()).ledger
    await given(ledger, 1)
    copy, damaged = file.with_suffix(".copy"), file.with_suffix(".damaged")
    with sqlite3.connect(file) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    connection.close()
    damaged.write_bytes(b"\xff" * copy.stat().st_size)

    async with moved_away(file):
        damaged.rename(file)
        await given(ledger, 2, 1)
        held = spooled(file)
        file.unlink()
    copy.rename(file)
    await becomes(lambda: ledger.standing.spooled_rows == 0)

    assert held == ["req_1", "req_2"]
    assert names_in(file) == ["req_0", "req_1", "req_2"]


async def test_calls_are_spooled_once_the_database_is_found_to_be_overwritten(
    begin: Begin, file: Path
) -> None:
    state = await begin()
    await given(state.ledger, 1)
    await state.counters.take(Demand("a", 1, (Share("requests", "a", 1, 1, 3600, 3600),)))
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    await given(state.ledger, 1, 1)  # So the ledger's own connection has pages in memory.
    with file.open("r+b") as database:
        database.write(b"\xff" * file.stat().st_size)

    await becomes(lambda: state.is_failing)
    await given(state.ledger, 2, 2)

    assert spooled(file) == ["req_2", "req_3"]
    assert state.ledger.standing.problem == "the database fails"


async def test_a_start_replays_what_the_last_process_spooled(begin: Begin, file: Path) -> None:
    before = await begin()
    with locked(file):
        await given(before.ledger, 2)
        await before.aclose()
    left = names_in(file)

    after = await begin()
    await becomes(lambda: after.ledger.standing.spooled_rows == 0)

    assert left == []
    assert names_in(file) == ["req_0", "req_1"]


async def test_a_kill_between_the_row_and_the_end_of_its_replay_doubles_nothing(
    begin: Begin, file: Path
) -> None:
    before = await begin()
    with locked(file):
        await given(before.ledger, 2)
        (spool,) = file.parent.glob(FIRST)
        left = spool.read_bytes()
    await becomes(lambda: before.ledger.standing.spooled_rows == 0)
    await before.aclose()
    spool.write_bytes(left)  # As if the file had not been emptied yet.

    after = await begin()
    await becomes(lambda: after.ledger.standing.spooled_rows == 0)

    assert names_in(file) == ["req_0", "req_1"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"model": "no name"}\n',
        b'{"request_id": ["req_9"]}\n',
        b'{"request_id": "req_9", "status": "200"}\n',
        b"nonsense\n",
        b'{"request_id": "req_9", "at": 1e999}\n',
    ],
)
async def test_a_spool_that_somebody_wrote_into_brings_no_nonsense(
    begin: Begin, file: Path, line: bytes
) -> None:
    before = await begin()
    await before.aclose()
    (spool,) = file.parent.glob(FIRST)
    spool.write_bytes(line + b'{"request_id": "req_0", "model": "m"}\n')

    after = await begin()
    await becomes(lambda: after.ledger.standing.spooled_rows == 0)

    assert names_in(file) == ["req_0"]


async def test_a_row_spooled_by_another_version_is_kept(begin: Begin, file: Path) -> None:
    before = await begin()
    await before.aclose()
    (spool,) = file.parent.glob(FIRST)
    spool.write_bytes(b'{"request_id": "req_0", "model": "m", "colour": "blue"}\n')

    after = await begin()
    await becomes(lambda: after.ledger.standing.spooled_rows == 0)

    (row,) = rows_of(file)
    assert (row["model"], row["target"], row["status"], row["queue_s"]) == ("m", "", 0, None)


async def test_with_neither_database_nor_spool_it_is_closed_until_one_works(
    begin: Begin, file: Path, tmp_path: Path
) -> None:
    ledger = (await begin()).ledger
    folder = file.parent
    away = tmp_path / "away"
    folder.rename(away)
    folder.touch()  # A file: nothing can be made in there.

    for one in entries(2):
        await ledger.record(one)  # Their answers go out all the same.
    (spool,) = away.glob(FIRST)
    spool.unlink()
    await ledger.record(entry("req_2"))
    await becomes(lambda: not ledger.is_open)
    problem = ledger.standing.problem
    folder.unlink()
    away.rename(folder)
    await becomes(lambda: ledger.is_open and ledger.standing.spooled_rows == 0)
    await becomes(lambda: "req_2" in names_in(file))

    assert problem == "the database fails, and the spool cannot take more"


async def test_a_full_spool_closes_it_before_there_is_no_room_for_calls_under_way(
    begin: Begin, file: Path
) -> None:
    ledger = (await begin(spool_bytes=64 * 1024)).ledger

    with locked(file):
        number = 0
        while ledger.is_open:
            await ledger.record(entry(f"req_{number:04}"))
            number += 1
        for late in range(number, number + 3):
            await ledger.record(entry(f"req_{late:04}"))
        assert len(spooled(file)) == number + 3
    await becomes(lambda: ledger.is_open and ledger.standing.spooled_rows == 0)

    assert names_in(file) == [f"req_{one:04}" for one in range(number + 3)]


@pytest.mark.parametrize(("durability", "synchronous"), [("normal", 1), ("full", 2)])
async def test_durability_is_what_sqlite_syncs(
    begin: Begin, file: Path, durability: str, synchronous: int
) -> None:
    ledger = (await begin(durability=durability)).ledger

    table: Any = ledger._table  # noqa: SLF001 - nothing else shows it.
    with table._engine.connect() as connection:  # noqa: SLF001 - as above.
        found = connection.exec_driver_sql("PRAGMA synchronous").scalar_one()

    assert found == synchronous


async def test_rows_older_than_their_retention_are_deleted_in_batches(
    begin: Begin, file: Path
) -> None:
    clock = ManualClock()
    before = await begin(clock)
    await given(before.ledger, 1200)
    await before.ledger.record(entry("young", at=ENTRY.at + 20 * 86_400))
    await before.aclose()
    clock.advance(31 * 86_400)

    await begin(clock, retention_days=30)

    await becomes(lambda: names_in(file) == ["young"])


async def test_without_retention_every_row_stays(begin: Begin, file: Path) -> None:
    ledger = (await begin()).ledger

    await ledger.record(entry("req_0", at=0.0))
    await ledger.record(entry("req_1"))

    assert names_in(file) == ["req_0", "req_1"]


async def test_memory_holds_the_newest_entries_and_is_always_open() -> None:
    ledger = MemoryLedger(newest=3)

    for one in [*entries(4), *entries(1, begin=3)]:
        await ledger.record(one)

    assert [one.request_id for one in ledger.entries] == ["req_1", "req_2", "req_3"]
    assert ledger.standing == (4, 0, True, "")
