"""Engines for an SQLite file: how a connection is set up, and how its transactions begin."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

BUSY_MS = 2000
"""How long to wait for another process that writes; the command line does so for milliseconds."""
BEGIN = "sqlite_begin"
"""The execution option that says how a transaction begins; empty: it is one statement."""
WRITING = "BEGIN IMMEDIATE"
"""A writer that begins by reading could be refused later on, busy timeout or not."""


def blocking_engine(path: Path, *, is_synced: bool) -> Engine:
    """Return an engine of one connection that writes, for a thread of its own.

    What it commits outlives the process; with `is_synced` also a machine that loses power.
    """
    engine = create_engine(_url("pysqlite", path), pool_size=1, max_overflow=0)
    # In WAL mode NORMAL syncs at checkpoints alone, FULL with each commit.
    _prepare(engine, "FULL" if is_synced else "NORMAL")
    return engine.execution_options(**{BEGIN: WRITING})


def async_engine(path: Path) -> AsyncEngine:
    """Return an engine of one connection for the loop; what it commits outlives a loss of power."""
    engine = create_async_engine(_url("aiosqlite", path), pool_size=1, max_overflow=0)
    _prepare(engine.sync_engine, "FULL")
    return engine


def _url(driver: str, path: Path) -> URL:
    # `rw`: a file that is gone is an error, and never begun anew behind the operator's back.
    return URL.create(
        f"sqlite+{driver}",
        database=f"file:{quote(str(path))}",
        query={"mode": "rw", "uri": "true"},
    )


def _prepare(engine: Engine, synchronous: str) -> None:
    event.listen(engine, "connect", partial(_connected, synchronous))
    event.listen(engine, "begin", _begin)


def _connected(
    synchronous: str,
    connection: Any,  # Any: a driver's.
    _record: object,
) -> None:
    connection.isolation_level = None  # The driver begins no transactions: `_begin` does.
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_MS}",
        "journal_mode=WAL",
        "foreign_keys=ON",
        f"synchronous={synchronous}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Any) -> None:  # Any: SQLAlchemy's own, synchronous side of it.
    begin = connection.get_execution_options().get(BEGIN, "BEGIN")
    if begin:
        connection.exec_driver_sql(begin)


@contextmanager
def begun(connection: Connection, *, is_one_statement: bool) -> Generator[Connection]:
    """Run a transaction that writes; one statement is a transaction by itself."""
    begin = "" if is_one_statement else WRITING
    with connection.execution_options(**{BEGIN: begin}).begin():
        yield connection
