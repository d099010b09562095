"""What the ledger's table says of what was used."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.state.errors import StateError
from gateway.state.keys import Key
from gateway.state.sql import usage as queries
from gateway.state.sql.database import consult, open_database, transact
from gateway.state.sql.keys import add_key
from gateway.state.sql.tables import TOKENS
from gateway.state.sql.usage import _column, entries, report
from gateway.state.usage import Group, Line, Report, Sums, Wanted
from tests.state.kept_calls import DAY_S, keep, kept_call

KEY = Key("key_a", "d1", "dg-aaaaaa", "a", "Alice", ("ci", "eu"), "default", 0.0)


@pytest.fixture
async def connection(file: Path) -> AsyncIterator[AsyncConnection]:
    """A transaction of an empty database."""
    database, _ = await open_database(file)
    async with database.writing.begin() as opened:
        yield opened
    await database.aclose()


async def asked(connection: AsyncConnection, *by: Any, **wanted: Any) -> dict[Any, Sums]:
    """Return the lines of a report by their names."""
    by = tuple(map(Group, by))
    found = await report(connection, Wanted(by, **wanted))
    return {line.names if len(by) > 1 else line.names[0]: line.sums for line in found.lines}


async def test_calls_are_added_up_bucket_by_bucket(connection: AsyncConnection) -> None:
    tokens = {name: 10**index for index, name in enumerate(TOKENS)}
    await keep(
        connection,
        kept_call(**tokens, images=2, audio_s=1.5, cost_usd_micros=7),
        kept_call(failure="transient", cost_usd_micros=None, is_estimated=True),
    )

    found = await report(connection, Wanted())

    assert found.lines == ()
    assert found.total == Sums(
        calls=2,
        failures=1,
        tokens_in=100101,
        cached_tokens_in=10,
        tokens_out=1011000,
        images=2,
        audio_s=1.5,
        cost_usd_micros=7,
        unpriced_calls=1,
        estimated_calls=1,
    )


async def test_nothing_kept_comes_to_nothing(connection: AsyncConnection) -> None:
    found = await report(connection, Wanted((Group.DAY,)))

    assert (found.lines, found.total) == ((), Sums())


async def test_a_day_begins_at_midnight_in_utc(connection: AsyncConnection) -> None:
    await keep(
        connection,
        kept_call(at=DAY_S - 0.001),
        kept_call(at=DAY_S),
        kept_call(at=2 * DAY_S - 0.001),
        kept_call(at=2 * DAY_S),
    )

    found = await asked(connection, "day")

    assert {name: sums.calls for name, sums in found.items()} == {
        "1970-01-01": 1,
        "1970-01-02": 2,
        "1970-01-03": 1,
    }


async def test_owners_and_tags_are_those_of_the_key(connection: AsyncConnection) -> None:
    await add_key(connection, KEY)
    await add_key(connection, replace(KEY, id="key_b", digest="d2", tags=("ci",)))
    await keep(
        connection,
        kept_call(key_id="key_a", cost_usd_micros=1),
        kept_call(key_id="key_b", cost_usd_micros=2),
        kept_call(key_id="key_gone"),
        kept_call(),
    )

    owners = await asked(connection, "owner")
    tags = await asked(connection, "tag")
    both = await asked(connection, "key", "tag")

    assert {name: sums.calls for name, sums in owners.items()} == {"Alice": 2, "-": 2}
    assert {name: sums.cost_usd_micros for name, sums in tags.items()} == {"ci": 3, "eu": 1, "-": 0}
    assert set(both) == {
        ("key_a", "ci"),
        ("key_a", "eu"),
        ("key_b", "ci"),
        ("key_gone", "-"),
        ("-", "-"),
    }
    assert (await report(connection, Wanted((Group.TAG,)))).total.calls == 4


async def test_a_report_can_be_of_a_time_or_of_a_key(connection: AsyncConnection) -> None:
    await keep(connection, kept_call(at=1.0), kept_call(at=2.0, key_id="key_a"), kept_call(at=3.0))

    async def count(**wanted: Any) -> int:
        return (await report(connection, Wanted(**wanted))).total.calls

    assert await count(since=2.0) == 2
    assert await count(until=2.0) == 1
    assert await count(key_id="key_a") == 1
    assert await count(key_id="") == 2


async def test_days_are_in_order_and_in_each_the_dearest_first(connection: AsyncConnection) -> None:
    await keep(
        connection,
        kept_call(at=DAY_S, model="cheap", cost_usd_micros=1),
        kept_call(at=DAY_S, model="dear", cost_usd_micros=9),
        kept_call(at=0.0, model="old"),
    )

    found = await report(connection, Wanted((Group.MODEL, Group.DAY)))

    assert [line.names[0] for line in found.lines] == ["old", "dear", "cheap"]


async def test_too_many_lines_are_refused(
    connection: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_LINES", 3)
    await keep(connection, *(kept_call(model=f"m{number}") for number in range(4)))

    with pytest.raises(StateError, match="more than 3 lines"):
        await report(connection, Wanted((Group.MODEL,)))


async def test_rows_are_read_in_batches_while_others_write(file: Path) -> None:
    async def fill(connection: AsyncConnection) -> None:
        await keep(connection, *(kept_call(at=float(number)) for number in range(2500)))

    async def read(connection: AsyncConnection) -> list[int]:
        sizes: list[int] = []
        times: list[Any] = []
        async for rows in entries(connection, Wanted()):
            # A writer would have to wait for one that held the lock.
            await transact(file, lambda other: keep(other, kept_call(at=9999.0)))
            sizes.append(len(rows))
            times += [row[1] for row in rows]
        assert times == sorted(times)
        return sizes

    await transact(file, fill)

    assert await consult(file, read) == [1000, 1000, 500]


def test_lines_say_their_names_as_json() -> None:
    line = Line(("m",), Sums(calls=1))
    found = Report((Group.MODEL,), (line,), line.sums).document()

    assert found["rows"][0]["model"] == "m"
    assert found["total"]["cost_usd_micros"] == 0


def test_days_are_cut_off_and_not_rounded_by_postgresql() -> None:
    query = select(_column(Group.DAY)).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]  # Its constructor.

    assert "CAST(FLOOR(calls.at / 86400) AS BIGINT)" in str(query)
