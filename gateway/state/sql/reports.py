"""Reports of a running gateway: beside its loop, and by a connection of their own."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from gateway.config.database import Place, PostgresPlace
from gateway.state.errors import StateError
from gateway.state.key_fields import FieldError
from gateway.state.sql.database import Database, Transaction, existing_database
from gateway.state.sql.keys import find_keys
from gateway.state.sql.usage import report
from gateway.state.usage import NOBODY, Report, Wanted

_log = logging.getLogger("dynagate.state")
MOST_S: Final = 20.0
"""For one report; ten million calls in a file take about as long."""


class SqlReports:
    """See `Reports`: made one at a time, in a thread with a loop of its own.

    Nothing of the gateway waits for it: neither its loop, nor its connections, nor a lock. A
    report that nobody waits for any more ends.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "dynagate-usage")

    async def report(self, wanted: Wanted, key: str | None) -> Report:
        """See `Reports`."""
        async with self._turn:
            making = _Making(self._place, wanted, key)
            try:
                async with asyncio.timeout(MOST_S):
                    loop = asyncio.get_running_loop()
                    return await loop.run_in_executor(self._thread, making.run)
            finally:
                making.stop()

    def close(self) -> None:
        """Let the thread go. Never waits."""
        self._thread.shutdown(wait=False, cancel_futures=True)


class _Making:
    """One report on its way: `run` in its thread, `stop` from anywhere."""

    def __init__(self, place: Place, wanted: Wanted, key: str | None) -> None:
        self._place = place
        self._wanted = wanted
        self._key = key
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[object] | None = None
        self._database: Database | None = None
        self._is_over = False

    def run(self) -> Report:
        """Return the report. Raises `StateError`, `FieldError`."""
        return asyncio.run(self._made())

    def stop(self) -> None:
        """End `run` soon, if it is not over. Never waits."""
        self._is_over = True
        if self._loop is not None:
            with suppress(RuntimeError):  # The loop is closed: it was over.
                self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self._database is not None:
            self._database.interrupt()
        elif self._task is not None and isinstance(self._place, PostgresPlace):
            self._task.cancel()  # It connects. A file is open within milliseconds.

    async def _made(self) -> Report:
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if self._is_over:
            raise asyncio.CancelledError
        database = await existing_database(self._place, statement_s=MOST_S)
        if database is None:
            message = f"{self._place} is gone"
            raise StateError(message)
        self._database = database
        try:
            async with database.reading.connect() as connection:
                key_id = await _key_id(connection, self._key)
                wanted = replace(self._wanted, key_id=key_id)
                return await report(connection, wanted, may_cut=True)
        except (SQLAlchemyError, OSError) as error:
            raise StateError(database.explained(error)) from None
        finally:
            await database.aclose()


async def _key_id(connection: Transaction, key: str | None) -> str | None:
    """Return the id that `key` means. Raises `FieldError`."""
    if key is None or key == NOBODY:
        return None if key is None else ""
    found = await find_keys(connection, key)
    if not found:
        raise FieldError("key", "there is no such key; GET /admin/keys lists them")
    if len(found) > 1:
        raise FieldError("key", "several keys begin so: write the id of one")
    return found[0].id
