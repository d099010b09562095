"""The ledger of the stand-in: a row of each call in SQLite, before its answer ends."""

import sqlite3
import time

from tests.faults.stand_in.errors import LedgerFullError
from tests.faults.stand_in.settings import Settings

_LOCKED_S = 5.0
"""Somebody else may hold the database for so long."""
_BATCH_S = 1.0


class Ledger:
    """Keeps the models of calls; with no database in the file it keeps nothing."""

    def __init__(self, settings: Settings) -> None:
        self._defects = settings.defects
        self._waiting: list[tuple[str]] = []
        self._kept_at = time.monotonic()
        self._database: sqlite3.Connection | None = None
        if settings.database:
            self._database = sqlite3.connect(settings.database, timeout=_LOCKED_S)
            self._database.execute("CREATE TABLE IF NOT EXISTS calls (model TEXT)")

    def keep(self, model: str) -> None:
        """Write the row of a call, before its answer ends; raise `LedgerFullError`."""
        if self._database is None:
            return
        self._waiting.append((model,))
        now = time.monotonic()
        if "acknowledges_early" in self._defects and now < self._kept_at + _BATCH_S:
            return
        self._kept_at = now
        try:
            with self._database:
                self._database.executemany("INSERT INTO calls VALUES (?)", self._waiting)
        except sqlite3.OperationalError:
            if "forgets_rows" not in self._defects:
                raise LedgerFullError from None
        finally:
            self._waiting.clear()

    def close(self) -> None:
        """Let the database go."""
        if self._database is not None:
            self._database.close()
