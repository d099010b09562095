"""The table `calls` in an SQLite file, by a thread of its own."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from gateway.state.sql.calls import Row, deleting, inserting_block
from gateway.state.sql.sqlite import identity_of
from gateway.state.sql.sqlite_engine import begun, blocking_engine

_T = TypeVar("_T")
_BLOCK = 64
"""Rows of one statement: between statements the thread waits for the loop's to let it go on."""


class SqliteCalls:
    """See `CallTable`. With `is_synced` what is committed outlives a loss of power.

    One hop to the thread a transaction, and mostly one statement in it: with a statement a row
    each costs more than twice as much, and more through SQLAlchemy's asyncio (2026-11, 2 cores).
    The connection is its own, so rows wait for nobody else's statements, only for their locks.
    """

    def __init__(self, path: Path, *, is_synced: bool) -> None:
        self._path = path
        self._engine = blocking_engine(path, is_synced=is_synced)
        self._connection: Connection | None = None
        self._identity = identity_of(path)
        self._thread = ThreadPoolExecutor(1, "dynagate-ledger")

    @property
    def name(self) -> str:
        """See `CallTable`."""
        return str(self._path)

    async def insert(self, rows: Sequence[Row]) -> None:
        """See `CallTable`."""
        await self._in_thread(lambda: self._insert(rows))

    async def delete(self, before: float, most: int) -> int:
        """See `CallTable`."""
        return await self._in_thread(lambda: self._delete(before, most))

    async def disconnect(self) -> None:
        """See `CallTable`."""
        await self._in_thread(self._disconnect)

    def close(self) -> None:
        """See `CallTable`."""
        self._thread.shutdown(wait=False)

    def _insert(self, rows: Sequence[Row]) -> None:
        blocks = [rows[at : at + _BLOCK] for at in range(0, len(rows), _BLOCK)]
        with begun(self._connected(), is_one_statement=len(blocks) == 1) as connection:
            for block in blocks:
                values = tuple(chain.from_iterable(block))
                connection.exec_driver_sql(inserting_block(len(block)), values)

    def _delete(self, before: float, most: int) -> int:
        with begun(self._connected(), is_one_statement=True) as connection:
            return connection.execute(deleting(before, most)).rowcount

    def _connected(self) -> Connection:
        """Return the connection, to the file that is under this name now: nobody sees another."""
        identity = identity_of(self._path)
        if identity != self._identity:
            self._disconnect()
            self._identity = identity
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        try:
            if connection is not None:
                connection.close()
        finally:
            self._engine.dispose()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
