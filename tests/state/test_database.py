"""The SQLite file: made, brought up to date, and told apart from what cannot be used."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.state.counters import Demand, Refused, Share
from gateway.state.errors import StateError
from gateway.state.keys import Key
from gateway.state.memory import MemoryCounters
from gateway.state.sql import sqlite
from gateway.state.sql.database import open_database, transact
from gateway.state.sql.keeper import open_kept
from gateway.state.sql.keys import add_key
from gateway.testing.clock import ManualClock
from tests.state.kept_calls import keep, kept_call

LIMIT = Demand("a", 10, (Share("requests", "a", 1, 3, 3600, 3600),))


async def opened(file: Path) -> str | None:
    """Open the database and close it; return the revision it had if that was an older one."""
    database, found = await open_database(file)
    await database.aclose()
    return found


async def refusal(file: Path) -> str:
    """Return what is said of a database that cannot be used; it names the file."""
    with pytest.raises(StateError) as refused:
        await opened(file)
    assert str(file) in str(refused.value)
    return str(refused.value)


@pytest.fixture
async def somebodys() -> AsyncIterator[Path]:
    """A database that the test may read and not write, whoever runs it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "state.sqlite"
        await opened(file)
        file.chmod(0o444)
        folder.chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)  # Root may write to everything.
        yield file
        if is_root:
            os.seteuid(0)
        folder.chmod(0o700)


async def test_a_new_file_is_for_its_user_alone(file: Path) -> None:
    first, second = await opened(file), await opened(file)

    assert (first, second) == ("", None)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


async def test_those_that_start_at_once_make_it_once(file: Path) -> None:
    for number in range(5):
        own = file.with_name(f"{number}.sqlite")

        found = await asyncio.gather(*(opened(own) for _ in range(4)))

        assert sorted(map(str, found)) == ["", "None", "None", "None"]


async def test_a_file_that_is_no_database_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes(b"hello " * 1000)

    said = await refusal(file)

    assert "restore it from a copy, or move it away" in said
    assert file.read_bytes() == b"hello " * 1000


async def test_a_damaged_database_is_found_at_the_start(file: Path) -> None:
    await opened(file)
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)

    assert "damaged" in await refusal(file)


async def filled(file: Path, table: str, *, damage: bool) -> None:
    """Make a database with so many calls and keys that each has pages of its own; spoil some."""

    async def fill(connection: AsyncConnection) -> None:
        await keep(connection, *(kept_call() for _ in range(300)))
        for number in range(300):
            name = f"key_{number:012x}"
            await add_key(connection, Key(name, name, "dg-aaaaaa", "n", "", (), "default", 0.0))

    await transact(file, fill)
    connection = sqlite3.connect(file)
    where = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'"
    try:
        pages = [page for (page,) in connection.execute(where, [table])]
    except sqlite3.OperationalError:
        pytest.skip("this SQLite cannot say where a table is")
    finally:
        connection.close()
    if damage:
        with file.open("r+b") as opened:
            for page in pages:
                opened.seek((page - 1) * 4096)
                opened.write(b"\xff" * 4096)


async def test_in_a_large_database_damaged_keys_are_found_at_the_start(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_CHECKED_BYTES", 4096)
    await filled(file, "keys", damage=True)

    assert "damaged" in await refusal(file)


async def test_in_a_large_database_damaged_calls_are_found_by_an_upgrade_alone(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_CHECKED_BYTES", 4096)
    await filled(file, "calls", damage=True)

    assert await opened(file) is None
    with pytest.raises(StateError, match="is damaged"):
        await open_database(file, is_upgrade=True)


async def test_a_large_database_that_is_whole_is_opened_and_upgraded(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_CHECKED_BYTES", 4096)
    await filled(file, "calls", damage=False)

    assert await opened(file) is None
    database, found = await open_database(file, is_upgrade=True)
    await database.aclose()
    assert found is None


async def test_a_small_database_is_read_to_its_last_call_at_the_start(file: Path) -> None:
    await filled(file, "calls", damage=True)

    assert "damaged" in await refusal(file)


async def test_a_read_only_database_is_told(somebodys: Path) -> None:
    assert "is read-only; make it and its folder writable" in await refusal(somebodys)


async def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "cannot be written" in await refusal(tmp_path / "file" / "state.sqlite")
    assert "cannot be written: Is a directory" in await refusal(tmp_path)


async def test_a_database_that_fails_costs_one_warning_and_heals(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "dynagate.state")
    clock = ManualClock()
    state = await open_kept(file, MemoryCounters(clock, is_kept=True), clock)
    away = file.with_name("away.sqlite")
    await state.write()
    file.rename(away)
    for _ in range(3):
        assert not isinstance(await state.counters.take(LIMIT), Refused)
        await state.write()
    away.rename(file)

    await state.write()

    said = [record.levelname for record in caplog.records]
    assert said == ["WARNING", "INFO"]
    await state.aclose()
    after = await open_kept(file, MemoryCounters(clock), clock)
    assert isinstance(await after.counters.take(LIMIT), Refused)
    await after.aclose()


async def test_a_gateway_that_looks_for_changes_keeps_no_writer_waiting(file: Path) -> None:
    state = await open_kept(file, MemoryCounters(ManualClock()), ManualClock())
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")

        await state.read()

        assert not state.is_failing
        other.execute("ROLLBACK")
    other.close()
    await state.aclose()
