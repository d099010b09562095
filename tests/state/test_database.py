"""The SQLite file: made, brought up to date, and told apart from what cannot be used."""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from gateway.state.errors import StateError
from gateway.state.sql import upgrade
from gateway.state.sql.database import open_database
from gateway.state.sql.tables import REVISIONS


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


def tables_of(file: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return the columns and indices of every table."""
    with sqlite3.connect(file) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
        found = {
            name: [
                *connection.execute(f"PRAGMA table_xinfo({name})"),
                *sorted(row[1:4] for row in connection.execute(f"PRAGMA index_list({name})")),
                *connection.execute(f"PRAGMA index_xinfo({name})"),
            ]
            for name in names
        }
    connection.close()
    return found


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


async def test_a_new_file_has_the_tables_that_the_revisions_make(
    file: Path, tmp_path: Path
) -> None:
    step_by_step = tmp_path / "steps.sqlite"
    engine = create_engine(f"sqlite:///{step_by_step}")
    with engine.begin() as connection:
        upgrade.upgrade_tables(connection)
    engine.dispose()

    await opened(file)

    assert tables_of(file) == tables_of(step_by_step)


@pytest.mark.parametrize("revision", REVISIONS)
async def test_every_older_database_is_brought_up_to_date(
    file: Path, tmp_path: Path, revision: str
) -> None:
    await opened(tmp_path / "new.sqlite")
    file.parent.mkdir()
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        folder = Path(upgrade.__file__).parent / "migrations"
        config.set_main_option("script_location", str(folder))
        command.upgrade(config, revision)
    engine.dispose()

    found = await asyncio.gather(opened(file), opened(file))

    assert set(found) == ({None} if revision == REVISIONS[-1] else {revision, None})
    assert tables_of(file) == tables_of(tmp_path / "new.sqlite")


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


async def test_a_newer_database_asks_for_the_newer_gateway(file: Path) -> None:
    await opened(file)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    assert "written by a newer dynagate (revision 9999" in await refusal(file)


async def test_the_database_of_something_else_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    connection.close()

    assert "a database of something else" in await refusal(file)


async def test_a_read_only_database_is_told(somebodys: Path) -> None:
    assert "is read-only; make it and its folder writable" in await refusal(somebodys)


async def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "cannot be written" in await refusal(tmp_path / "file" / "state.sqlite")
    assert "cannot be written: Is a directory" in await refusal(tmp_path)
