"""One SQLite file: how it is opened, told apart from others, and brought up to date."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.state.errors import StateError
from gateway.state.sql.tables import REVISIONS, create_tables

Transaction = AsyncConnection
"""What keeps and finds, for those who may not know what is behind it."""
_T = TypeVar("_T")
_BUSY_MS = 2000
"""How long to wait for another process that writes; the command line does so for milliseconds."""
_PAUSE_S = 0.05
_BEGIN = "sqlite_begin"


class Database:
    """A file with this gateway's tables. `reading` and `writing` are engines of one connection."""

    def __init__(self, path: Path, engine: AsyncEngine) -> None:
        self.path = path
        self.reading = engine
        # A writer that begins by reading could be refused later on, busy timeout or not.
        self.writing = engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        self._identity = _identity(path)

    async def renew(self) -> bool:
        """Let go of a file that is not the one under this name any more; say whether that was so.

        Raises OSError if there is none.
        SQLite would go on with the old one, which nobody else sees.
        """
        identity = _identity(self.path)
        if identity == self._identity:
            return False
        await self.aclose()
        self._identity = identity
        return True

    async def aclose(self) -> None:
        """Close the connection; the next use opens another."""
        await self.reading.dispose()


async def open_database(path: Path) -> tuple[Database, str | None]:
    """Open the file, made and brought up to date where that is needed.

    Returns the revision it had when it had to change: "" for a new one, None if nothing changed.
    Raises `StateError`.
    """
    try:
        _make(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        message = f"{path} cannot be written: {reason}; {_ELSEWHERE}"
        raise StateError(message) from None
    clock = asyncio.get_running_loop().time
    last = clock() + _BUSY_MS / 1000
    while True:
        database = Database(path, _engine(path))
        try:
            return database, await _bring_up_to_date(database)
        except SQLAlchemyError as error:
            await database.aclose()
            # Of two that make a new file at once SQLite refuses one the change to WAL at once,
            # whatever the busy timeout says: it could deadlock.
            if clock() >= last or not _is_locked(error):
                raise StateError(f"{path} {_explained(error)}") from None
        except BaseException:
            await database.aclose()
            raise
        await asyncio.sleep(_PAUSE_S)


async def transact(path: Path, work: Callable[[Transaction], Awaitable[_T]]) -> _T:
    """Do `work` in one transaction of a database that is opened for it. Raises `StateError`."""
    database, _ = await open_database(path)
    try:
        async with database.writing.begin() as connection:
            return await work(connection)
    except SQLAlchemyError as error:
        raise StateError(f"{path} {_explained(error)}") from None
    finally:
        await database.aclose()


def _make(path: Path) -> None:
    """Make the file and its folder, for this user alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with suppress(PermissionError):  # Somebody else's: whether it can be written will show.
        path.chmod(path.stat().st_mode & 0o700)
    # Here and not by the driver: when that fails to open a file, its thread may outlive our loop.
    with path.open("rb"):
        pass


def _engine(path: Path) -> AsyncEngine:
    # `rw`: a file that is gone is an error, and never begun anew behind the operator's back.
    url = URL.create(
        "sqlite+aiosqlite",
        database=f"file:{quote(str(path))}",
        query={"mode": "rw", "uri": "true"},
    )
    engine = create_async_engine(url, pool_size=1, max_overflow=0)
    event.listen(engine.sync_engine, "connect", _connected)
    event.listen(engine.sync_engine, "begin", _begun)
    return engine


def _connected(connection: Any, _record: object) -> None:  # Any: a driver's connection.
    connection.isolation_level = None  # The driver begins no transactions: `_begun` does.
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={_BUSY_MS}", "journal_mode=WAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begun(connection: Any) -> None:  # Any: SQLAlchemy's own, synchronous side of it.
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))


async def _bring_up_to_date(database: Database) -> str | None:
    # Within one write transaction: of two that start at once the second finds it done.
    async with database.writing.begin() as connection:
        (found,) = (await connection.exec_driver_sql("PRAGMA quick_check(1)")).one()
        if found != "ok":
            message = f"{database.path} is damaged ({found}); {_RESTORE}"
            raise StateError(message)
        revision = await _revision(connection)
        if revision == REVISIONS[-1]:
            return None
        if revision is None:
            message = f"{database.path} is a database of something else; {_ELSEWHERE}"
            raise StateError(message)
        if revision and revision not in REVISIONS:
            message = (
                f"{database.path} was written by a newer dynagate (revision {revision}, this one "
                f"knows {REVISIONS[-1]}): install that one, or name another file in state.url"
            )
            raise StateError(message)
        if revision:
            from gateway.state.sql.upgrade import upgrade_tables  # noqa: PLC0415 - see there.

            await connection.run_sync(upgrade_tables)
        else:
            await connection.run_sync(create_tables)
        return revision


async def _revision(connection: AsyncConnection) -> str | None:
    """Return the revision of the tables, "" without any, None where they are not ours."""
    rows = await connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = set(rows.scalars())
    if not names:
        return ""
    if "alembic_version" not in names:
        return None
    row = await connection.exec_driver_sql("SELECT version_num FROM alembic_version")
    return str(row.scalar() or "")


def _explained(error: SQLAlchemyError) -> str:
    """Return what a failure to open means, and what to do."""
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    if "malformed" in said or "not a database" in said:
        return f"is damaged, or no SQLite database ({said}); {_RESTORE}"
    if "readonly" in said:
        return f"is read-only; make it and its folder writable for this user, or {_ELSEWHERE}"
    if _is_locked(error):
        return "is locked by another program; end that one, or name another file in state.url"
    return f"cannot be used ({said}); {_ELSEWHERE}"


def _is_locked(error: SQLAlchemyError) -> bool:
    return isinstance(error, DBAPIError) and "locked" in str(error.orig)


def _identity(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_dev, about.st_ino


_ELSEWHERE = "name another file in state.url, or write memory://"
_RESTORE = "restore it from a copy, or move it away to begin anew"
