"""The ledger in a database: rows that arrive within 10 ms of one commit go with the next.

A row is safe once its commit is over or, when the database does not take it in 0.1 s, once it is in
the spool. From there it is replayed, as often as need be: the request id makes it one row.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from gateway.sdk.providers import Clock
from gateway.state.ledger import Entry, Standing
from gateway.state.spool import Spool
from gateway.state.sql.calls import CallTable, Row, object_of, row_of, row_of_object

_log = logging.getLogger("dynagate.state")
_T = TypeVar("_T")
PATIENCE_S = 0.1
"""How long the database has for a row, and then the spool."""
_RETRY_S = 0.25
_LOOK_S = 60.0
"""Between looks for rows that are old enough to go."""
_CLOSING_S = 2.0
_BATCH = 500
_APART_S = 0.01
"""Between commits: each has two threads take turns, which may cost as much as ten rows."""
_MOST_PENDING = 10_000
_DAY_S = 86_400
_ROWS_FAULT = (DataError, IntegrityError, OverflowError, UnicodeError)
"""What is wrong with a row, and would be again."""


class _Taken:
    """A row on its way; awaiting it waits until it is safe, or need not be waited for any more."""

    __slots__ = ("_waiter", "is_over", "is_spooled", "row", "since")

    def __init__(self, row: Row, since: float) -> None:
        self.row = row
        self.since = since
        self.is_over = False
        self.is_spooled = False
        """It is on its way to the spool, or there, and counted when it is replayed."""
        self._waiter: asyncio.Future[None] | None = None

    def __await__(self) -> Generator[Any, None, None]:  # Any: what a loop is yielded is its own.
        if self.is_over:
            return
        if self._waiter is None or self._waiter.done():
            self._waiter = asyncio.get_running_loop().create_future()
        yield from self._waiter.__await__()

    def release(self) -> None:
        """Let who waits go on."""
        self.is_over = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class SqlLedger:
    """One writer of `table` and `spool`, both its own: its `aclose` closes them."""

    def __init__(
        self, table: CallTable, spool: Spool, clock: Clock, *, retention_days: int | None
    ) -> None:
        self._table = table
        self._spool = spool
        self._clock = clock
        self._retention_days = retention_days
        self._now = asyncio.get_running_loop().time
        self._pending: dict[str, _Taken] = {}
        """Rows that are safe nowhere yet, the oldest first."""
        self._has_work = asyncio.Event()
        self._has_pending = asyncio.Event()
        self._has_failed = asyncio.Event()
        """The database failed, and has not worked since."""
        self._looking: asyncio.TimerHandle | None = None
        self._looks_at = 0.0
        self._is_late = False
        self._is_spool_failing = False
        self._is_doubted = False
        self._is_closed = False
        self._busy = asyncio.Lock()
        self._rows = 0
        self._committed_at = 0.0
        # One thread, so that the spool is one caller's at a time; it starts with the first use.
        self._thread = ThreadPoolExecutor(1, "dynagate-spool")

    @property
    def is_open(self) -> bool:
        """See `Ledger.is_open`."""
        is_database_open = not (self._has_failed.is_set() or self._is_late)
        is_spool_open = self._spool.has_room and not self._is_spool_failing
        return len(self._pending) < _MOST_PENDING and (is_database_open or is_spool_open)

    @property
    def standing(self) -> Standing:
        """See `WatchedLedger.standing`."""
        problem = ""
        if self._has_failed.is_set() or self._is_late:
            problem = "the database fails" if self._has_failed.is_set() else "the database is slow"
            if not self.is_open:
                problem += ", and the spool cannot take more"
        return Standing(self._rows, self._spool.rows, self.is_open, problem)

    def record(self, entry: Entry) -> Awaitable[None]:
        """See `Ledger.record`."""
        taken = self._pending.get(entry.request_id)
        if taken is None:
            taken = self._pending[entry.request_id] = _Taken(row_of(entry), self._now())
            self._has_work.set()
            self._has_pending.set()
        return taken

    def doubt(self) -> None:
        """Connect anew before the next row, since another connection found the database failing.

        One that holds much of a file in memory would not see that the file is damaged.
        """
        self._is_doubted = True

    async def open(self) -> None:
        """Find what an earlier process spooled; a spool that fails costs a warning."""
        try:
            await self._in_thread(self._spool.open)
        except OSError as error:
            self._spool_failed(error)
        self._look()

    async def keep(self) -> None:
        """Write rows, and delete old ones, until the ledger is closed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._for_ever(self._write_on))
            group.create_task(self._for_ever(self._spool_late))

    async def aclose(self) -> None:
        """Write what is left, to the spool if the database does not take it, and close both."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._looking is not None:
            self._looking.cancel()
        self._has_work.set()
        self._has_pending.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_S), self._busy:
                await self._write()
        await self._to_spool(list(self._pending.values()))
        if self._pending:
            _log.error("%d calls could be kept nowhere", len(self._pending))
        with suppress(SQLAlchemyError, TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                await self._table.disconnect()
        self._table.close()
        await self._in_thread(self._spool.close)
        self._thread.shutdown(wait=False)

    def _look(self) -> None:
        """Have the writer look for what was spooled, and for what is too old; later on again."""
        self._has_work.set()
        # A timer of its own: a timeout around each wait for rows costs a task.
        self._looking = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    async def _for_ever(self, turn: Callable[[], Awaitable[None]]) -> None:
        while not self._is_closed:
            try:
                await turn()
            except Exception:  # noqa: BLE001 - the edge of a task that must not end.
                _log.exception("a bug in the ledger; it goes on")
                await asyncio.sleep(_RETRY_S)

    async def _write_on(self) -> None:
        if self._has_failed.is_set():
            await asyncio.sleep(_RETRY_S)  # And not with each row that arrives.
        elif self._spool.rows and not self._has_work.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_work.wait(), _RETRY_S)
        else:
            await self._has_work.wait()
        self._has_work.clear()
        async with self._busy:
            if not self._is_closed:
                await self._write()
                await self._delete_old()

    async def _write(self) -> None:
        """Commit what is pending, and what is spooled, until nothing is left or that fails."""
        while self._pending or self._spool.rows:
            await self._let_gather()
            batch = list(islice(self._pending.values(), _BATCH))
            if batch and not await self._commit(batch):
                return
            if self._spool.rows and not await self._replay():
                return

    async def _let_gather(self) -> None:
        """Wait if the last commit began a moment ago: what comes meanwhile goes with the next."""
        wait_s = self._committed_at + _APART_S - self._now()
        if wait_s > 0 and len(self._pending) < _BATCH and not self._is_closed:
            await asyncio.sleep(wait_s)
        self._committed_at = self._now()

    async def _commit(self, batch: list[_Taken]) -> bool:
        """Put `batch` into the database; say whether that works."""
        try:
            if self._is_doubted:
                await self._table.disconnect()
                self._is_doubted = False
            await self._table.insert([taken.row for taken in batch])
        except _ROWS_FAULT as error:
            if len(batch) > 1:
                return all([await self._commit([taken]) for taken in batch])
            name = batch[0].row[0]
            _log.error("the database refuses the row of %s: %s", name, _reason(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, the rows are still here.
            await self._failed(error)
            return False
        self._works()
        for taken in batch:
            if self._pending.pop(taken.row[0], None) is not None and not taken.is_spooled:
                self._rows += 1
            taken.release()
        return True

    async def _replay(self) -> bool:
        """Put some of the spooled rows into the database; say whether that works."""
        try:
            found = await self._in_thread(self._spool.oldest)
            rows = [row for row in map(row_of_object, found) if row is not None]
            # As if they had just come, but that they are safe already.
            if rows and not await self._commit([_Taken(row, 0.0) for row in rows]):
                return False
            await self._in_thread(self._spool.forget)
        except OSError as error:
            self._spool_failed(error)
            return False
        self._rows += len(rows)
        return True

    async def _delete_old(self) -> None:
        if (
            self._retention_days is None
            or self._has_failed.is_set()
            or self._now() < self._looks_at
        ):
            return
        before = self._clock.now().timestamp() - self._retention_days * _DAY_S
        try:
            deleted = await self._table.delete(before, _BATCH)
        except (SQLAlchemyError, OSError) as error:
            await self._failed(error)
            return
        if deleted == _BATCH:
            self._has_work.set()  # There are more: after the rows that came meanwhile.
        else:
            self._looks_at = self._now() + _LOOK_S / 2

    async def _spool_late(self) -> None:
        """Spool what the database has not taken in time; at once while it fails."""
        await self._has_pending.wait()
        oldest = next(iter(self._pending.values()), None)
        if oldest is None:
            self._has_pending.clear()
            return
        left_s = oldest.since + PATIENCE_S - self._now()
        if left_s > 0 and not self._has_failed.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._has_failed.wait(), left_s)
            return
        if not self._has_failed.is_set() and not self._is_late:
            self._is_late = True
            _log.warning("%s is slow, so calls are spooled", self._table.name)
        due = self._now() - PATIENCE_S
        is_due = self._has_failed.is_set()
        await self._to_spool([one for one in self._pending.values() if is_due or one.since <= due])
        if self._is_spool_failing:
            await asyncio.sleep(PATIENCE_S)

    async def _to_spool(self, batch: list[_Taken]) -> None:
        """Spool `batch`; let who waits for it go on, whatever comes of it."""
        if not batch:
            return
        for taken in batch:
            taken.is_spooled = True
        # By their own events, since a disk that hangs must not hold the callers up.
        done = asyncio.get_running_loop().run_in_executor(
            self._thread, self._spool.append, [object_of(taken.row) for taken in batch]
        )
        while not (await asyncio.wait({done}, timeout=PATIENCE_S))[0]:
            self._is_spool_failing = True
            for taken in self._pending.values():
                taken.release()
        try:
            done.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever.
            self._spool_failed(error)
            self._count_unspooled(batch)
        else:
            self._is_spool_failing = False
            self._has_work.set()  # The writer may have found the spool empty, and sleep.
            for taken in batch:
                self._pending.pop(taken.row[0], None)
        for taken in batch:
            taken.release()

    def _count_unspooled(self, batch: list[_Taken]) -> None:
        """Count those that were committed meanwhile: they will not be replayed."""
        for taken in batch:
            taken.is_spooled = False
            if taken.row[0] not in self._pending:
                self._rows += 1

    async def _failed(self, error: Exception) -> None:
        if not self._has_failed.is_set():
            self._has_failed.set()
            name = self._table.name
            _log.warning("%s fails, so calls are spooled: %s", name, _reason(error))
        with suppress(SQLAlchemyError):
            await self._table.disconnect()

    def _works(self) -> None:
        if self._has_failed.is_set() or self._is_late:
            _log.info("%s takes calls again", self._table.name)
        self._has_failed.clear()
        self._is_late = self._is_spool_failing = False

    def _spool_failed(self, error: Exception) -> None:
        if not self._is_spool_failing:
            self._is_spool_failing = True
            reason = getattr(error, "strerror", None) or error
            _log.warning("the ledger's spool fails: %s", reason)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _reason(error: Exception) -> object:
    """Return what the driver said, without the statement and its values."""
    return getattr(error, "orig", None) or str(error) or "it did not answer in time"
