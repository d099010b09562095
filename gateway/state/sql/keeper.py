"""Keeps a running gateway's state in a database: nothing of it is on the way of a request."""

import asyncio
import hashlib
import itertools
import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from gateway.config.database import Place
from gateway.config.ledger import Ledger as LedgerSection
from gateway.sdk.providers import Clock
from gateway.state.errors import StateError
from gateway.state.keys import HeldKeys, KeyBook
from gateway.state.memory import MemoryCounters
from gateway.state.spool import Spool
from gateway.state.sql.database import Database, Transaction, open_database
from gateway.state.sql.keys import SqlKeyBook, keys_version, read_keys
from gateway.state.sql.ledger import SqlLedger
from gateway.state.sql.reports import SqlReports
from gateway.state.sql.windows import read_windows, write_windows

_T = TypeVar("_T")
_log = logging.getLogger("dynagate.state")
_LOOK_S = 0.5
"""Between looks for keys that changed; windows are written at every second one."""
_FAILURES = (SQLAlchemyError, OSError, StateError, ValueError, TypeError)
"""The last two are rows that somebody wrote by hand."""


class KeptState:
    """Counters in memory, kept in the database; keys in the database, held in memory.

    Either side is a second old at most.
    """

    def __init__(
        self,
        database: Database,
        counters: MemoryCounters,
        clock: Clock,
        ledger: SqlLedger,
        reports: SqlReports,
    ) -> None:
        self.counters = counters
        self.ledger = ledger
        self.reports = reports
        self.keys = HeldKeys()
        self.key_book: KeyBook = SqlKeyBook(self.transact, clock, self.keys.put)
        self._version: int | None = None
        self._database = database
        self._clock = clock
        self._busy = asyncio.Lock()
        self._is_closing = asyncio.Event()
        self._failing: set[str] = set()

    @property
    def is_failing(self) -> bool:
        """See `State.is_failing`."""
        return bool(self._failing)

    async def keep(self) -> None:
        """See `State.keep`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.ledger.keep())
            group.create_task(self._keep_windows())

    async def _keep_windows(self) -> None:
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
        self.reports.close()
        self._database.hasten()
        # At the same time: neither may be late because the database answers nobody.
        await asyncio.gather(self.write(), self.ledger.aclose())
        async with self._busy:
            await self._database.aclose()

    async def read(self) -> None:
        """Hold the keys as they are now, if anybody has changed them."""
        async with self._busy:
            try:
                await self._renew()
                with self._database.patience():
                    async with self._database.keeping.connect() as connection:
                        await self.hold_keys(connection)
            except _FAILURES as error:
                await self._failed("read", error)
            else:
                self._works("read")

    async def hold_keys(self, connection: Transaction) -> None:
        """Hold what `connection` finds, if that is not what is held."""
        # The number first: a change in between costs one more look, and is not overlooked.
        version = await keys_version(connection)
        if version != self._version:
            self.keys.hold(await read_keys(connection))
            self._version = version

    async def write(self) -> None:
        """Keep what has changed; a database that fails costs a warning, and is tried again."""
        async with self._busy:
            changed = self.counters.changes()
            if not changed:
                self._works("write")
                return
            try:
                await self._renew()
                now = self._clock.now().timestamp()
                with self._database.patience():
                    async with self._database.keeping.begin() as connection:
                        await write_windows(connection, changed, now)
            except _FAILURES as error:
                self.counters.not_saved(changed)
                await self._failed("write", error)
            else:
                self._works("write")

    async def transact(
        self,
        work: Callable[[Transaction], Awaitable[_T]],
        *,
        done: Callable[[_T], None] | None = None,
    ) -> _T:
        """Do `work` in one transaction, which only reads without `done`.

        `done` is told what was kept before anything else is read. Raises `StateError`. Not to be
        cancelled: SQLite's driver goes on in its thread, and would keep the file locked.
        """
        async with self._busy:
            database = self._database
            if self._is_closing.is_set():
                message = f"{database.name} is being closed"
                raise StateError(message)
            try:
                await self._renew()
                engine = database.reading if done is None else database.writing
                async with engine.begin() as connection:
                    result = await work(connection)
            except (SQLAlchemyError, OSError) as error:
                _log.warning("%s fails: %s", database.name, database.reason(error))
                message = f"{database.name} cannot be used now; the log says why"
                raise StateError(message) from None
            if done is not None:
                done(result)
            return result

    async def _renew(self) -> None:
        if await self._database.renew():
            self._version = None  # Another database counts by itself.

    async def _failed(self, what: str, error: Exception) -> None:
        if not self._failing:
            reason = self._database.reason(error)
            _log.warning(
                "%s fails, so changes wait, to keys as well: %s", self._database.name, reason
            )
            self.ledger.doubt()
        # By what it cannot do: one that can be read and not written would be news each second.
        self._failing.add(what)
        self._version = None
        with suppress(SQLAlchemyError):
            await self._database.drop()

    def _works(self, what: str) -> None:
        if what in self._failing:
            self._failing.discard(what)
            if not self._failing:
                _log.info("%s works again", self._database.name)


async def open_kept(
    place: Place,
    counters: MemoryCounters,
    clock: Clock,
    *,
    section: LedgerSection | None = None,
    folder: Path | None = None,
    is_alone: bool = True,
) -> KeptState:
    """Open the database, for this gateway alone, and go on counting where it ends.

    Two that count in memory would each grant every limit; `is_alone` is False for those that count
    elsewhere, who may share a database. `section` is the configuration's
    `ledger`; `folder` is where its spool may be, beside a file's own if not given.
    Raises `StateError`.
    """
    section = section or LedgerSection()
    database, _ = await open_database(place, is_gateway=is_alone)
    try:
        async with database.keeping.connect() as connection:
            counters.restore(await read_windows(connection))
            ledger = _ledger(database, place, clock, section, folder)
            kept = KeptState(database, counters, clock, ledger, SqlReports(place))
            await kept.hold_keys(connection)
        await kept.ledger.open()
    except _FAILURES as error:
        await database.aclose()
        raise StateError(database.explained(error)) from None
    except BaseException:
        await database.aclose()
        raise
    return kept


def _ledger(
    database: Database, place: Place, clock: Clock, section: LedgerSection, folder: Path | None
) -> SqlLedger:
    if folder is None:
        folder = place.parent if isinstance(place, Path) else Path.cwd()
    is_synced = section.durability == "full"
    spool = Spool(folder, _spool_name(place), section.spool_bytes, is_synced=is_synced)
    table = database.calls(is_synced=is_synced)
    return SqlLedger(table, spool, clock, retention_days=section.retention_days)


def _spool_name(place: Place) -> str:
    """Return a name of this database's own: rows of another must not be replayed into it."""
    name = os.path.realpath(place) if isinstance(place, Path) else str(place)
    return f"calls-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
