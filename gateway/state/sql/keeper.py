"""Keeps a running gateway's state in a database: nothing of it is on the way of a request."""

import asyncio
import itertools
import logging
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from gateway.sdk.providers import Clock
from gateway.state.keys import HeldKeys
from gateway.state.memory import MemoryCounters
from gateway.state.sql.database import Database, open_database
from gateway.state.sql.keys import read_keys
from gateway.state.sql.windows import read_windows, write_windows

_log = logging.getLogger("dynagate.state")
_LOOK_S = 0.5
"""Between looks for keys that changed; windows are written at every second one."""


class KeptState:
    """Counters in memory, kept in the database; keys in the database, held in memory.

    Either side is a second old at most.
    """

    def __init__(self, database: Database, counters: MemoryCounters, clock: Clock) -> None:
        self.counters = counters
        self.keys = HeldKeys()
        self._version: int | None = None
        self._database = database
        self._clock = clock
        self._busy = asyncio.Lock()
        self._is_closing = asyncio.Event()
        self._is_failing = False

    async def keep(self) -> None:
        """See `State.keep`."""
        for look in itertools.count(1):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_closing.wait(), _LOOK_S)
            if self._is_closing.is_set():
                return
            await self.read()
            if look % 2 == 0:
                await self.write()

    async def aclose(self) -> None:
        """Write what is left, and close the database."""
        self._is_closing.set()
        await self.write()
        async with self._busy:
            await self._database.aclose()

    async def read(self) -> None:
        """Hold the keys as they are now, if anybody but this process wrote to the database."""
        async with self._busy:
            try:
                await self._renew()
                async with self._database.reading.connect() as connection:
                    row = await connection.exec_driver_sql("PRAGMA data_version")
                    version = row.scalar_one()
                    if version != self._version:
                        self.keys.hold(await read_keys(connection))
                        self._version = version
            except (SQLAlchemyError, OSError) as error:
                await self._failed(error)
            else:
                self._works()

    async def write(self) -> None:
        """Keep what has changed; a database that fails costs a warning, and is tried again."""
        async with self._busy:
            changed = self.counters.changes()
            if not changed:
                return
            try:
                await self._renew()
                async with self._database.writing.begin() as connection:
                    await write_windows(connection, changed, self._clock.now().timestamp())
            except (SQLAlchemyError, OSError) as error:
                self.counters.not_saved(changed)
                await self._failed(error)
            else:
                self._works()

    async def _renew(self) -> None:
        if await self._database.renew():
            self._version = None  # Another connection counts anew.

    async def _failed(self, error: Exception) -> None:
        if not self._is_failing:
            self._is_failing = True
            reason = getattr(error, "orig", None) or error
            _log.warning(
                "%s fails, so changes wait, to keys as well: %s", self._database.path, reason
            )
        self._version = None
        with suppress(SQLAlchemyError):
            await self._database.aclose()

    def _works(self) -> None:
        if self._is_failing:
            self._is_failing = False
            _log.info("%s works again", self._database.path)


async def open_kept(path: Path, counters: MemoryCounters, clock: Clock) -> KeptState:
    """Open the database and go on counting where it ends. Raises `StateError`."""
    database, _ = await open_database(path)
    async with database.reading.connect() as connection:
        counters.restore(await read_windows(connection))
    kept = KeptState(database, counters, clock)
    await kept.read()
    return kept
