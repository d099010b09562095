"""A database with this gateway's tables, wherever it is."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.config.database import Place
from gateway.state.errors import OutdatedError, StateError
from gateway.state.sql.calls import CallTable

Transaction = AsyncConnection
"""What keeps and finds, for those who may not know what is behind it."""
_T = TypeVar("_T")


class Database(Protocol):
    """An open database. Whoever opened it closes it; its engines open what they need by themselves.

    `keeping` is the connection of the gateway that has the database for itself, see
    `open_database`; `reading` and `writing` are for everybody else. On SQLite all are one.
    """

    @property
    def name(self) -> str:
        """Where it is, without secrets."""

    @property
    def reading(self) -> AsyncEngine:
        """For what only reads."""

    @property
    def writing(self) -> AsyncEngine:
        """For what writes, or may."""

    @property
    def keeping(self) -> AsyncEngine:
        """One connection, which holds the database for this gateway if it was opened so."""

    async def renew(self) -> bool:
        """Let go of a database that is not the one of that name any more; say whether it was so.

        Raises OSError if there is none.
        """

    def patience(self) -> AbstractContextManager[None]:
        """Return a block in which `keeping` fails within seconds, and never waits for longer."""

    def hasten(self) -> None:
        """Be done with the rest in about two seconds, even if nothing answers any more."""

    async def drop(self) -> None:
        """Let go of the connection of `keeping`, which failed; its next use opens another."""

    async def aclose(self) -> None:
        """Close every connection, and let another gateway have the database."""

    def interrupt(self) -> None:
        """End what `reading` does, which fails then, and lets nothing begin that takes long."""

    def calls(self, *, is_synced: bool) -> CallTable:
        """Return the table of calls, by a connection of its own: rows wait for nothing else.

        With `is_synced` what is committed outlives a machine that loses power; a server does as
        its own settings say.
        """

    def reason(self, error: Exception) -> str:
        """Return what the driver said, in one line without secrets."""

    def explained(self, error: Exception) -> str:
        """Return the sentence that begins with the name and ends with what to do."""


async def open_database(
    place: Place, *, is_upgrade: bool = False, is_gateway: bool = False
) -> tuple[Database, str | None]:
    """Open the database at `place`; a file is made and brought up to date where that is needed.

    A server's database is that for `is_upgrade` alone, since others may be running on it.
    With `is_gateway` no second gateway can open it so until it is closed, or the process ends.
    Returns the revision it had when it had to change: "" for a new one, None if nothing changed.
    Raises `StateError`.
    """
    if isinstance(place, Path):
        from gateway.state.sql.sqlite import open_file  # noqa: PLC0415 - one of the two is needed.

        return await open_file(place, is_upgrade=is_upgrade, is_gateway=is_gateway)
    from gateway.state.sql.postgresql import open_server  # noqa: PLC0415 - as above.

    return await open_server(place, is_upgrade=is_upgrade, is_gateway=is_gateway)


async def transact(place: Place, work: Callable[[Transaction], Awaitable[_T]]) -> _T:
    """Do `work` in one transaction of a database that is opened for it. Raises `StateError`."""
    database, _ = await open_database(place)
    try:
        async with database.writing.begin() as connection:
            return await work(connection)
    except (SQLAlchemyError, OSError) as error:
        raise StateError(database.explained(error)) from None
    finally:
        await database.aclose()


async def consult(place: Place, work: Callable[[Transaction], Awaitable[_T]]) -> _T:
    """Do `work`, which only reads, while others write. Raises `StateError`."""
    database, _ = await open_database(place)
    try:
        async with database.reading.begin() as connection:
            return await work(connection)
    except SQLAlchemyError as error:
        raise StateError(database.explained(error)) from None
    finally:
        await database.aclose()


async def look(place: Place, work: Callable[[Transaction], Awaitable[_T]]) -> _T | None:
    """Do `work`, which only reads, in a database that is there and up to date; None elsewhere.

    Nothing is made, and nothing brought up to date. Raises `StateError`.
    """
    try:
        database = await existing_database(place)
    except OutdatedError:
        return None
    if database is None:
        return None
    try:
        async with database.reading.connect() as connection:
            return await work(connection)
    except (SQLAlchemyError, OSError) as error:
        raise StateError(database.explained(error)) from None
    finally:
        await database.aclose()


async def existing_database(place: Place, *, statement_s: float | None = None) -> Database | None:
    """Return the database at `place` as it is, to be read; None if there is no such file.

    `statement_s` is how long a server may take for one statement, if not as long as usual. Raises
    `StateError`, and `OutdatedError` if its tables are not today's.
    """
    if isinstance(place, Path):
        from gateway.state.sql.sqlite import existing_file  # noqa: PLC0415 - one of the two.

        return await existing_file(place)
    from gateway.state.sql.postgresql import open_server  # noqa: PLC0415 - as above.

    database, _ = await open_server(
        place, is_upgrade=False, is_gateway=False, statement_s=statement_s
    )
    return database
