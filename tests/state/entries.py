"""Entries of a ledger, and what a database file holds of them."""

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.schema.usage import Usage
from gateway.state.ledger import Entry

ENTRY = Entry(
    request_id="req_0",
    at=1704067200.0,
    key_id="",
    model="openai",
    target="up/upstream-model",
    dialect="openai_chat",
    status=200,
    failure="",
    attempts=1,
    usage=Usage(3, 1, 2, 5, 4, 7, 6, is_estimated=True),
    images=2,
    audio_s=1.5,
    cost_usd_micros=None,
    price_version="",
    queue_s=0.25,
    first_token_s=None,
    total_s=2.5,
    is_stream=True,
    is_aborted=False,
)


def entry(request_id: str, **fields: Any) -> Entry:  # Any: fields of an entry.
    """Return an entry of that name."""
    return replace(ENTRY, request_id=request_id, **fields)


def entries(count: int, *, begin: int = 0) -> list[Entry]:
    """Return so many, `req_0` and so on."""
    return [entry(f"req_{number}") for number in range(begin, begin + count)]


def rows_of(file: Path, columns: str = "*") -> list[dict[str, Any]]:  # Any: columns' values.
    """Return the rows of a database, by request id."""
    connection = sqlite3.connect(file)
    connection.row_factory = sqlite3.Row
    wanted = f"SELECT {columns} FROM calls ORDER BY request_id"  # noqa: S608 - a test's own words.
    try:
        return [dict(row) for row in connection.execute(wanted)]
    finally:
        connection.close()


def names_in(file: Path) -> list[str]:
    """Return the request ids that a database has, once for each row."""
    return [row["request_id"] for row in rows_of(file, "request_id")]
