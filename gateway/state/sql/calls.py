"""The ledger's rows: made of entries, put into the database once, deleted when they are old."""

import re
from collections.abc import Sequence
from functools import cache
from math import isfinite
from typing import Any, Final, Protocol

from sqlalchemy import BigInteger, Delete, Float, Text, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from gateway.schema.json import JsonObject
from gateway.state.ledger import Entry
from gateway.state.sql.tables import calls

MAX_CHARS = 256
"""Of a text in a row; models and targets are named by callers and upstreams."""
COLUMNS: Final = tuple(map(str, calls.c.keys()))
Row = tuple[Any, ...]  # Any: the values of `COLUMNS`, which are of several types.
_MOST = 2**63 - 1
_MOST_OF_INTEGERS = 2**31 - 1
"""A server's `integer` has 32 bits; SQLite's have 64, whatever they are called."""
_TEXTS = tuple(place for place, name in enumerate(COLUMNS) if isinstance(calls.c[name].type, Text))
"""Where in a row texts stand; the first is the request id, which names the row."""
_MOSTS = tuple(
    _MOST if isinstance(calls.c[name].type, BigInteger) else _MOST_OF_INTEGERS for name in COLUMNS
)
"""What a whole number may be at most, column by column."""


class CallTable(Protocol):
    """The table `calls` of one database. What it raises is SQLAlchemy's, or OSError."""

    @property
    def name(self) -> str:
        """What the operator calls the database; never a secret."""

    async def insert(self, rows: Sequence[Row]) -> None:
        """Commit `rows`, those whose request id is there already left out."""

    async def delete(self, before: float, most: int) -> int:
        """Delete up to `most` of the calls that began before `before`, in Unix time; how many?"""

    async def disconnect(self) -> None:
        """Let go of the connection; the next use makes another."""

    def close(self) -> None:
        """End. Never waits."""


def row_of(entry: Entry) -> Row:
    """Return the entry as a row that every database takes and JSON can hold.

    What a name cannot have there (NUL, half a surrogate pair) becomes a question mark, what is
    beyond `MAX_CHARS` is cut, and a number that is none, or too large, is 0 or the largest.
    """
    usage = entry.usage
    # By hand and in one go, as a loop over names costs three times as much for each call.
    row = (
        entry.request_id,
        entry.at,
        entry.key_id,
        entry.model,
        entry.target,
        entry.dialect,
        entry.status,
        str(entry.failure),
        entry.attempts,
        usage.input_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        usage.audio_in_tokens,
        usage.audio_out_tokens,
        entry.images,
        entry.audio_s,
        usage.is_estimated,
        entry.cost_usd_micros,
        entry.price_version,
        entry.queue_s,
        entry.first_token_s,
        entry.total_s,
        entry.is_stream,
        entry.is_aborted,
        entry.cache,
        entry.shared_with,
    )
    return row if _is_clean(row) else _made_clean(row)


def object_of(row: Row) -> JsonObject:
    """Return the row by the names of its columns."""
    return dict(zip(COLUMNS, row, strict=True))


def row_of_object(found: JsonObject) -> Row | None:
    """Return the row that was spooled, maybe by an earlier version; None if it is none.

    A column that it lacks is empty, one that is not known any more is left out.
    """
    if not found.get("request_id"):
        return None
    row = tuple(found.get(name, empty) for name, empty in _EMPTY.items())
    is_row = all(map(_is_like, row, _EMPTY.values()))
    return _made_clean(row) if is_row else None


@cache
def inserting(dialect: str) -> Insert:
    """Return what keeps rows, those whose request id is kept already left out."""
    insert = postgresql.insert(calls) if dialect == "postgresql" else sqlite.insert(calls)
    return insert.on_conflict_do_nothing(index_elements=["request_id"])


@cache
def inserting_block(count: int) -> str:
    """Return the same for SQLite as text, for `count` rows with their values one after the other.

    The values of a row are in the order of `COLUMNS`.
    """
    one = str(inserting("sqlite").compile(dialect=sqlite.dialect(paramstyle="qmark")))
    head, values, rest = re.split(r"(\(\?[?, ]*\))", one)
    return head + ", ".join([values] * count) + rest


def deleting(before: float, most: int) -> Delete:
    """Return what deletes up to `most` rows of calls that began before `before`, in Unix time.

    The oldest go first.
    """
    oldest = select(calls.c.request_id).where(calls.c.at < before).order_by(calls.c.at).limit(most)
    return delete(calls).where(calls.c.request_id.in_(oldest))


def _is_clean(row: Row) -> bool:
    """Say whether nothing in the row needs a second look, as is so of nearly all of them."""
    texts = "".join([row[place] for place in _TEXTS])
    counts = (row[6], *row[8:17], row[19] or 0)
    seconds = row[1] + row[17] + row[23] + (row[21] or 0.0) + (row[22] or 0.0)
    return (
        len(texts) <= MAX_CHARS
        and texts.isascii()
        and "\0" not in texts
        and min(counts) >= 0
        and max(counts) <= _MOST
        and max(row[6], row[8]) <= _MOST_OF_INTEGERS
        and isfinite(seconds)
    )


def _made_clean(row: Row) -> Row:
    return tuple(map(_cleaned, row, _MOSTS))


def _cleaned(value: Any, most: int) -> Any:  # Any: a column's value.
    match value:
        case str():
            return value[:MAX_CHARS].replace("\0", "?").encode(errors="replace").decode()
        case bool() | None:
            return value
        case int():
            return min(max(value, 0), most)
        case _:
            return value if isfinite(value) else 0.0


def _is_like(value: object, empty: object) -> bool:
    """Say whether `value` is of the type of a column, as its `empty` value shows it."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match empty:
        case None:
            return value is None or is_number
        case bool() | str():
            return isinstance(value, type(empty))
        case _:
            return is_number


def _empty(name: str) -> object:
    column = calls.c[name]
    if column.nullable:
        return None
    if isinstance(column.type, Text):
        return ""
    if isinstance(column.type, Float):
        return 0.0
    return False if name.startswith("is_") else 0


_EMPTY: Final = {name: _empty(name) for name in COLUMNS}
