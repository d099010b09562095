"""Tables on each database: made, brought up to date, told apart from what cannot be used."""

import asyncio
from pathlib import Path

import pytest

from gateway.config.database import Place, PostgresPlace
from gateway.state.errors import OutdatedError, StateError
from gateway.state.memory import MemoryCounters
from gateway.state.sql.database import open_database
from gateway.state.sql.keeper import open_kept
from gateway.state.sql.tables import REVISIONS
from gateway.testing.clock import ManualClock
from tests.postgres import PASSWORD
from tests.state.contract.databases import made, migrated, rows_of, shape_of


async def refusal(place: Place) -> str:
    """Return what a start says of a database that cannot be used; it names it, and no secret."""
    with pytest.raises(StateError) as refused:
        await open_kept(place, MemoryCounters(ManualClock()), ManualClock())
    assert str(place) in str(refused.value)
    assert PASSWORD not in str(refused.value)
    return str(refused.value)


async def test_tables_are_made_once(place: Place) -> None:
    assert (await made(place), await made(place)) == ("", None)


async def test_new_tables_are_those_that_the_revisions_make(place: Place) -> None:
    await migrated(place, "head")
    step_by_step = await shape_of(place)
    for name in await rows_of(place, _TABLES[type(place) is PostgresPlace]):
        await rows_of(place, f"DROP TABLE {name[0]}")
    if isinstance(place, PostgresPlace):
        await rows_of(place, "DROP FUNCTION note_keys")

    assert await made(place) == ""

    assert await shape_of(place) == step_by_step


_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table'",
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_older_database_is_brought_up_to_date_once(place: Place, revision: str) -> None:
    await migrated(place, revision)

    found = await asyncio.gather(made(place), made(place))

    assert set(found) == ({None} if revision == REVISIONS[-1] else {revision, None})
    assert await rows_of(place, "SELECT version_num FROM alembic_version") == [(REVISIONS[-1],)]
    assert await rows_of(place, "SELECT name, version FROM versions") == [("keys", 0)]


@pytest.mark.parametrize("revision", ["", *REVISIONS[:-1]])
async def test_a_start_upgrades_a_file_and_never_a_server(place: Place, revision: str) -> None:
    if revision:
        await migrated(place, revision)
    if isinstance(place, Path):
        kept = await open_kept(place, MemoryCounters(ManualClock()), ManualClock())
        await kept.aclose()
        return

    with pytest.raises(OutdatedError) as outdated:
        await open_database(place)

    assert str(outdated.value).endswith(": run dynagate db upgrade")
    assert str(outdated.value) == await refusal(place)
    assert (revision or "no tables yet") in str(outdated.value)


async def test_a_newer_database_asks_for_the_newer_gateway(place: Place) -> None:
    await made(place)
    await rows_of(place, "UPDATE alembic_version SET version_num = '9999'")

    assert "written by a newer dynagate (revision 9999" in await refusal(place)
    with pytest.raises(StateError, match="written by a newer dynagate"):
        await made(place)


@pytest.mark.parametrize("table", ["bookmarks", "alembic_version"])
async def test_the_database_of_something_else_is_left_alone(place: Place, table: str) -> None:
    await rows_of(place, f"CREATE TABLE {table} (version_num TEXT)")

    assert "a database of something else" in await refusal(place)
    with pytest.raises(StateError, match="a database of something else"):
        await made(place)


async def test_a_table_that_is_missing_is_told_at_the_start(place: Place) -> None:
    await made(place)
    await rows_of(place, "DROP TABLE keys")

    said = await refusal(place)

    assert "keys" in said
    assert "state.url" in said
