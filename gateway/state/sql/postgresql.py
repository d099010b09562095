"""A database of a PostgreSQL server: connected within bounds, upgraded and held under locks."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.config.database import PostgresPlace
from gateway.state.errors import StateError
from gateway.state.sql.calls import CallTable, Row, deleting, inserting, object_of
from gateway.state.sql.refusals import explained
from gateway.state.sql.revisions import bring_up_to_date

_START_S = 5.0
_CONNECT_S = 2.0
"""While running; nobody waits for it but what keeps the state."""
_KEEPER_S = 2.0
"""For all that the keeper does at once: a few rows, in a few round trips."""
_LAST_S = 1.0
"""For what is left at the end: nobody waits for a stopped server to let a gateway go."""
_STATEMENT_S = 5.0
"""For anybody's; the driver gives up then, and so does the server."""
_UPGRADE_S = 600.0
"""For each step of an upgrade, the wait for another one included."""
_TAKEN_S = 2.0
"""A process that was killed may still have its lock for a moment."""
_PAUSE_S = 0.1
_CONNECTIONS = 3
"""For all that is not the keeper's; each needs milliseconds."""
_SETTINGS = {
    "application_name": "dynagate",
    "idle_in_transaction_session_timeout": "10s",
    # A gateway whose machine is gone holds the database for half a minute, and not for hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
}
_GATEWAY, _UPGRADE = 0x64796E61, 0x67617465
"""Two numbers of ours: locks are told apart by numbers, within one database."""
_LOCK = "SELECT pg_try_advisory_lock($1, hashtext(coalesce(current_schema(), '')))"


class TakenError(StateError):
    """Another gateway has the database."""


class PostgresDatabase:
    """A server's database, as `Database`: a connection of the keeper, and a few for all else."""

    def __init__(
        self, place: PostgresPlace, *, is_gateway: bool, statement_s: float = _STATEMENT_S
    ) -> None:
        self.name = str(place)
        self.connect_s = _START_S
        self.keeper_s = _KEEPER_S
        self._place = place
        self._is_gateway = is_gateway
        self._statement_s = statement_s
        self._kept: WeakSet[Any] = WeakSet()  # Any: the driver has no types.
        self._others: WeakSet[Any] = WeakSet()
        self._called: WeakSet[Any] = WeakSet()
        self.keeping = _engine(self._connect_keeper, 1)
        self.reading = self.writing = _engine(self._connect, _CONNECTIONS)

    async def renew(self) -> bool:
        """See `Database.renew`: a server's name leads to it, whatever becomes of it."""
        return False

    @contextmanager
    def patience(self) -> Iterator[None]:
        """See `Database.patience`.

        The connection is cut and no statement cancelled, for which the driver asks the server.
        """
        was_cut = False

        def cut() -> None:
            nonlocal was_cut
            was_cut = True
            _cut(self._kept)

        timer = asyncio.get_running_loop().call_later(self.keeper_s, cut)
        try:
            yield
        except SQLAlchemyError as error:
            if was_cut:
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()

    def hasten(self) -> None:
        """See `Database.hasten`."""
        self.connect_s = self.keeper_s = _LAST_S
        for connections in (self._kept, self._others, self._called):
            asyncio.get_running_loop().call_later(_LAST_S, _cut, connections)

    async def drop(self) -> None:
        """See `Database.drop`."""
        await _end(self.keeping, self._kept)

    async def aclose(self) -> None:
        """See `Database.aclose`: the server gives the lock back with the connection."""
        await self.drop()
        await _end(self.writing, self._others)

    def interrupt(self) -> None:
        """See `Database.interrupt`."""
        _cut(self._others)

    def calls(self, *, is_synced: bool) -> CallTable:
        """See `Database.calls`."""
        return PostgresCalls(self.name, self._connected, self._called)

    def reason(self, error: Exception) -> str:
        """See `Database.reason`."""
        return explained(error, self.connect_s)[0]

    def explained(self, error: Exception) -> str:
        """See `Database.explained`."""
        said, advice = explained(error, self.connect_s)
        return f"{self.name} cannot be used: {said}; {advice}"

    async def _connect(self) -> Any:  # Any: the driver has no types.
        connection = await self._connected()
        self._others.add(connection)
        return connection

    async def _connect_keeper(self) -> Any:  # Any: as above.
        connection = await self._connected()
        try:
            if self._is_gateway:
                await self._hold(connection)
        except BaseException:
            connection.terminate()
            raise
        self._kept.add(connection)
        return connection

    async def _hold(self, connection: Any) -> None:  # Any: as above.
        if not await connection.fetchval(_LOCK, _GATEWAY, timeout=self.connect_s):
            message = (
                f"{self.name} is in use by another gateway, and two would count each caller "
                "twice: end that one, or name another database in state.url"
            )
            raise TakenError(message)

    async def _connected(self) -> Any:  # Any: as above.
        import asyncpg  # noqa: PLC0415 - an extra.

        try:
            return await asyncpg.connect(
                self._place.url,
                timeout=self.connect_s,
                command_timeout=self._statement_s,
                server_settings={**_SETTINGS, "statement_timeout": f"{self._statement_s:.0f}s"},
            )
        except ValueError as error:
            # What the driver cannot do with a parameter; it is no error of the database's to it.
            raise ConnectionError(*error.args[:1]) from None


class PostgresCalls:
    """See `CallTable`. A server that does not answer is given up with the statement timeout."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[Any]],  # Any: the driver has no types.
        connections: WeakSet[Any],  # Any: as above.
    ) -> None:
        self._name = name
        self._connect = connect
        self._connections = connections
        self._engine = _engine(self._connected, 1)

    @property
    def name(self) -> str:
        """See `CallTable`."""
        return self._name

    async def insert(self, rows: Sequence[Row]) -> None:
        """See `CallTable`."""
        try:
            async with self._engine.begin() as connection:
                await connection.execute(inserting("postgresql"), list(map(object_of, rows)))
        except DBAPIError as error:
            if error.orig is not None and _is_of_a_row(error.orig):
                raise DataError(None, None, error.orig) from None
            raise

    async def delete(self, before: float, most: int) -> int:
        """See `CallTable`."""
        async with self._engine.begin() as connection:
            return (await connection.execute(deleting(before, most))).rowcount

    async def disconnect(self) -> None:
        """See `CallTable`."""
        await _end(self._engine, self._connections)

    def close(self) -> None:
        """See `CallTable`."""
        _cut(self._connections)

    async def _connected(self) -> Any:  # Any: as above.
        connection = await self._connect()
        self._connections.add(connection)
        return connection


def _is_of_a_row(error: BaseException) -> bool:
    """Say whether a value is what was refused: by the driver already, or by the server.

    SQLAlchemy tells neither from a connection that fails, and rows behind that one would wait for
    ever. The classes are those of PostgreSQL's appendix A.
    """
    code = getattr(error, "sqlstate", None) or ""
    return isinstance(error.__cause__, ValueError) or code.startswith(("22", "23", "P0"))


async def open_server(
    place: PostgresPlace, *, is_upgrade: bool, is_gateway: bool, statement_s: float | None = None
) -> tuple[PostgresDatabase, str | None]:
    """See `open_database`."""
    try:
        import asyncpg  # noqa: F401, PLC0415 - an extra.
    except ImportError:
        message = f"{place} needs a driver: pip install 'dynagate[postgres]'"
        raise StateError(message) from None
    if statement_s is None:
        statement_s = _UPGRADE_S if is_upgrade else _STATEMENT_S
    database = PostgresDatabase(place, is_gateway=is_gateway, statement_s=statement_s)
    try:
        found = await _checked(database, is_upgrade=is_upgrade)
        if is_gateway:
            await _take(database)
    except (SQLAlchemyError, OSError) as error:
        await database.aclose()
        raise StateError(database.explained(error)) from None
    except BaseException:
        await database.aclose()
        raise
    database.connect_s = _CONNECT_S
    return database, found


async def _checked(database: PostgresDatabase, *, is_upgrade: bool) -> str | None:
    async with database.writing.begin() as connection:
        if is_upgrade:
            # One at a time: the second waits here, and finds it done.
            await connection.exec_driver_sql(
                f"SELECT pg_advisory_xact_lock({_UPGRADE}, hashtext(current_schema()))"
            )
        tables = await _tables(connection)
        return await bring_up_to_date(connection, database.name, tables, may_change=is_upgrade)


async def _take(database: PostgresDatabase) -> None:
    clock = asyncio.get_running_loop().time
    last = clock() + _TAKEN_S
    while True:
        try:
            async with database.keeping.connect():
                return
        except TakenError:
            if clock() >= last:
                raise
        await asyncio.sleep(_PAUSE_S)


async def _tables(connection: AsyncConnection) -> set[str]:
    rows = await connection.exec_driver_sql(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    return set(rows.scalars())


def _engine(connect: Any, connections: int) -> AsyncEngine:  # Any: as SQLAlchemy's own signature.
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=_STATEMENT_S,
    )


async def _end(engine: AsyncEngine, connections: WeakSet[Any]) -> None:  # Any: as above.
    _cut(connections)
    await engine.dispose()


def _cut(connections: WeakSet[Any]) -> None:  # Any: as above.
    # At once, and not by asking: a server that has stopped would never answer.
    for connection in list(connections):
        connection.terminate()
