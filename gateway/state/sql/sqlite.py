"""One SQLite file: how it is opened, told apart from others, and held by one gateway."""

import asyncio
import errno
import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.state.errors import StateError
from gateway.state.sql.calls import CallTable
from gateway.state.sql.revisions import bring_up_to_date
from gateway.state.sql.sqlite_engine import BEGIN, BUSY_MS, WRITING, async_engine
from gateway.state.sql.tables import calls, metadata

_PAUSE_S = 0.05
_CHECKED_BYTES = 16 * 1024 * 1024
"""A file of this size is read as a whole at each open, in 27 ms; 100 MB take 165 (2026-11)."""
_STEPS = 100_000
"""Of SQLite's machine between looks whether to go on: some milliseconds."""


class SQLiteFile:
    """A file with this gateway's tables, as `Database`: one connection for all.

    `lock` is what holds it for this gateway.
    """

    def __init__(self, path: Path, lock: sqlite3.Connection | None = None) -> None:
        self.path = path
        self.name = str(path)
        self.reading = async_engine(path)
        self.writing = self.reading.execution_options(**{BEGIN: WRITING})
        self.keeping = self.reading  # Looks often, and must not keep writers waiting for it.
        self._identity = identity_of(path)
        self._lock = lock
        self._is_interrupted = False
        event.listen(self.reading.sync_engine, "connect", self._watch)

    async def renew(self) -> bool:
        """See `Database.renew`: SQLite would go on with the old file, which nobody else sees."""
        identity = identity_of(self.path)
        if identity == self._identity:
            return False
        await self.drop()
        self._identity = identity
        return True

    def patience(self) -> AbstractContextManager[None]:
        """See `Database.patience`: the busy timeout is the only wait."""
        return nullcontext()

    def hasten(self) -> None:
        """See `Database.hasten`: a file is quick, or locked for the busy timeout."""

    async def drop(self) -> None:
        """See `Database.drop`."""
        await self.reading.dispose()

    async def aclose(self) -> None:
        """See `Database.aclose`."""
        await self.drop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def interrupt(self) -> None:
        """See `Database.interrupt`: SQLite asks every few milliseconds whether to go on."""
        self._is_interrupted = True

    def calls(self, *, is_synced: bool) -> CallTable:
        """See `Database.calls`."""
        from gateway.state.sql.sqlite_calls import SqliteCalls  # noqa: PLC0415 - it imports this.

        return SqliteCalls(self.path, is_synced=is_synced)

    def _watch(self, connection: Any, _record: object) -> None:  # Any: a driver's.
        def is_interrupted() -> bool:
            return self._is_interrupted

        connection.run_async(lambda one: one.set_progress_handler(is_interrupted, _STEPS))

    def reason(self, error: Exception) -> str:
        """See `Database.reason`."""
        return str(error.orig if isinstance(error, DBAPIError) else error)

    def explained(self, error: Exception) -> str:
        """See `Database.explained`."""
        said = self.reason(error)
        if "malformed" in said or "not a database" in said:
            return f"{self.path} is damaged, or no SQLite database ({said}); {_RESTORE}"
        if "readonly" in said:
            return (
                f"{self.path} is read-only; make it and its folder writable for this user, or "
                f"{_ELSEWHERE}"
            )
        if _is_locked(error):
            return (
                f"{self.path} is locked by another program; end that one, or name another file in "
                "state.url"
            )
        return f"{self.path} cannot be used ({said}); {_ELSEWHERE}"


async def open_file(
    path: Path, *, is_upgrade: bool, is_gateway: bool
) -> tuple[SQLiteFile, str | None]:
    """See `open_database`; an upgrade looks for damage everywhere, however large the file is."""
    try:
        _make(path)
    except OSError as error:
        raise _unwritable(path, error.strerror or type(error).__name__) from None
    # Before anything is changed: the other gateway may be an older one, at work.
    lock = _locked(path) if is_gateway else None
    try:
        database, found = await _opened(path, lock)
    except BaseException:
        if lock is not None:
            lock.close()
        raise
    if is_upgrade:
        await _check_all(database)
    return database, found


async def existing_file(path: Path) -> SQLiteFile | None:
    """Return the file if there is one, to be read as it is.

    Raises `OutdatedError` if its tables are not today's, `StateError`.
    """
    try:
        if not await asyncio.to_thread(path.is_file):
            return None
        database = SQLiteFile(path)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror}; {_ELSEWHERE}"
        raise StateError(message) from None
    async with _read_or_closed(database) as connection:
        tables = await _tables(connection, path)
        await bring_up_to_date(connection, str(path), tables, may_change=False)
    return database


@asynccontextmanager
async def _read_or_closed(database: SQLiteFile) -> AsyncGenerator[AsyncConnection]:
    """Read the file; whatever fails closes it. Raises `StateError` for what SQLite says."""
    try:
        async with database.reading.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        await database.aclose()
        raise StateError(database.explained(error)) from None
    except BaseException:
        await database.aclose()
        raise


async def _opened(path: Path, lock: sqlite3.Connection | None) -> tuple[SQLiteFile, str | None]:
    clock = asyncio.get_running_loop().time
    last = clock() + BUSY_MS / 1000
    while True:
        database = SQLiteFile(path, lock)
        try:
            # Within one write transaction: of two that start at once the second finds it done.
            async with database.writing.begin() as connection:
                tables = await _tables(connection, path)
                found = await bring_up_to_date(connection, str(path), tables, may_change=True)
        except SQLAlchemyError as error:
            await database.drop()
            # Of two that make a new file at once SQLite refuses one the change to WAL at once,
            # whatever the busy timeout says: it could deadlock.
            if clock() >= last or not _is_locked(error):
                raise StateError(database.explained(error)) from None
        except BaseException:
            await database.drop()
            raise
        else:
            return database, found
        await asyncio.sleep(_PAUSE_S)


def _locked(path: Path) -> sqlite3.Connection:
    """Return what holds the file for this gateway until it is closed, or the process ends.

    An empty database beside it, locked as SQLite does on each system: the file itself could not be
    read by the command line any more. Raises `StateError`.
    """
    beside = path.resolve().with_name(f"{path.resolve().name}.lock")
    lock = None
    try:
        os.close(os.open(beside, os.O_CREAT | os.O_RDWR, 0o600))
        lock = sqlite3.connect(beside, timeout=0, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    except OSError as error:
        raise _unwritable(beside, error.strerror or type(error).__name__) from None
    except sqlite3.Error as error:
        if lock is not None:
            lock.close()
        if "locked" not in str(error):
            raise _unwritable(beside, str(error)) from None
        message = (
            f"{path} is in use by another gateway, and two would count each caller twice: end that "
            "one, or name another file in state.url"
        )
        raise StateError(message) from None
    return lock


def _unwritable(path: Path, reason: str) -> StateError:
    return StateError(f"{path} cannot be written: {reason}; {_ELSEWHERE}")


def _make(path: Path) -> None:
    """Make the file and its folder, for this user alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with suppress(PermissionError):  # Somebody else's: whether it can be written will show.
        path.chmod(path.stat().st_mode & 0o700)
    # Here and not by the driver: when that fails to open a file, its thread may outlive our loop.
    # And not by opening it: closing a file ends every lock that this process has on it (POSIX), and
    # SQLite of another process would then take the write-ahead log away from under a gateway.
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


async def _check_all(database: SQLiteFile) -> None:
    """Look for damage in all of the file; closes it and raises `StateError` if there is any."""
    # In a transaction that only reads: it takes seconds for a gigabyte, and holds nobody up.
    async with _read_or_closed(database) as connection:
        await _check(connection, database.path, "1")


async def _tables(connection: AsyncConnection, path: Path) -> set[str]:
    """Return the names of the tables, of a file that is not damaged.

    In a large file nobody waits until all calls are read: their table is left out then.
    """
    pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    size_bytes = (await connection.exec_driver_sql(pages)).scalar_one()
    is_small = size_bytes <= _CHECKED_BYTES
    if is_small:
        await _check(connection, path, "1")
    rows = await connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    tables = set(rows.scalars())
    for table in () if is_small else sorted({*metadata.tables} & tables - {calls.name}):
        await _check(connection, path, table)
    return tables


async def _check(connection: AsyncConnection, path: Path, what: str) -> None:
    """Raise `StateError` for damage in the table `what`, or with "1" anywhere."""
    found = (await connection.exec_driver_sql(f"PRAGMA quick_check({what})")).scalars().first()
    if found != "ok":
        message = f"{path} is damaged ({' '.join(str(found).split())}); {_RESTORE}"
        raise StateError(message)


def _is_locked(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and "locked" in str(error.orig)


def identity_of(path: Path) -> tuple[int, int]:
    """Return what tells the file under this name from another. Raises OSError if there is none."""
    about = path.stat()
    return about.st_dev, about.st_ino


_ELSEWHERE = "name another file in state.url, or write memory://"
_RESTORE = "restore it from a copy, or move it away to begin anew"
