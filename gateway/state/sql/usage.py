"""What the ledger's table says of what has been used."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from gateway.state.errors import StateError
from gateway.state.sql.tables import calls, keys
from gateway.state.usage import (
    MAX_LINES,
    NOBODY,
    Group,
    Report,
    Sums,
    Wanted,
    arranged,
    day_name,
)

COLUMNS: Final[tuple[tuple[str, type], ...]] = tuple(
    (column.name, column.type.python_type) for column in calls.columns
)
"""What an export has of each call: the columns' names, and what they hold."""
_BATCH = 1000


class _DayOf(FunctionElement[int]):
    """The number of the day, in UTC, that a Unix time is in."""

    inherit_cache = True
    name = "day_of"
    type = BigInteger()


@compiles(_DayOf)
def _floored(element: _DayOf, compiler: Any, **options: Any) -> str:  # Any: SQLAlchemy's.
    # A cast alone would round, as PostgreSQL does it.
    inner = compiler.process(element.clauses, **options)
    return f"CAST(FLOOR({inner} / 86400) AS BIGINT)"


@compiles(_DayOf, "sqlite")
def _truncated(element: _DayOf, compiler: Any, **options: Any) -> str:  # Any: as above.
    # SQLite may have been built without FLOOR; its cast cuts off.
    inner = compiler.process(element.clauses, **options)
    return f"CAST({inner} / 86400 AS BIGINT)"


async def report(connection: AsyncConnection, wanted: Wanted, *, may_cut: bool = False) -> Report:
    """Return what has been used; the most expensive first, days in order.

    More than `MAX_LINES` lines raise `StateError`; with `may_cut` the dearest are returned, and
    of owners and tags those of the dearest keys.
    """
    ((*values,),) = (await connection.execute(_narrowed(select(*_sums()), wanted))).all()
    total = _read(values)
    columns = [_column(group) for group in wanted.by]
    query = _narrowed(select(*columns, *_sums()), wanted).group_by(*columns).limit(MAX_LINES + 1)
    if may_cut:
        query = query.order_by(_sum(calls.c.cost_usd_micros).desc(), func.count().desc())
    owners = await _owners(connection) if {Group.OWNER, Group.TAG} & set(wanted.by) else {}
    found: dict[tuple[str, ...], Sums] = {}
    rows = (await connection.execute(query)).all() if wanted.by else []
    for row in rows:
        sums = _read(row[len(columns) :])
        labels = (_labels(*pair, owners) for pair in zip(wanted.by, row, strict=False))
        for names in product(*labels):
            found[names] = found.get(names, Sums()) + sums
    is_cut = len(rows) > MAX_LINES
    if not may_cut and (is_cut or len(found) > MAX_LINES):
        message = f"this is more than {MAX_LINES} lines: ask for less at once, by --since or --key"
        raise StateError(message)
    made = arranged(wanted.by, found, total, MAX_LINES)
    return replace(made, is_cut=True) if is_cut else made


async def entries(
    connection: AsyncConnection, wanted: Wanted
) -> AsyncIterator[list[tuple[object, ...]]]:
    """Yield the calls as they are kept, the oldest first, in batches of a thousand at most."""
    query = _narrowed(select(calls), wanted).order_by(calls.c.at)
    result = await connection.stream(query.execution_options(yield_per=_BATCH))
    async for rows in result.partitions():
        yield [tuple(row) for row in rows]


@dataclass(frozen=True, slots=True)
class _Holder:
    """Whose a key is."""

    owner: str
    tags: tuple[str, ...]


async def _owners(connection: AsyncConnection) -> Mapping[str, _Holder]:
    rows = await connection.execute(select(keys.c.id, keys.c.owner, keys.c.tags))
    decode = json.JSONDecoder().decode
    return {row.id: _Holder(row.owner, tuple(decode(row.tags))) for row in rows}


def _labels(group: Group, value: Any, owners: Mapping[str, _Holder]) -> Iterable[str]:
    """Return what a value of the column of `group` is called; tags may be several, or none."""
    match group:
        case Group.DAY:
            return (day_name(value),)
        case Group.MODEL | Group.KEY | Group.TARGET:
            return (value or NOBODY,)
        case Group.OWNER:
            return ((owners[value].owner if value in owners else "") or NOBODY,)
        case Group.TAG:
            return (owners[value].tags if value in owners else ()) or (NOBODY,)


def _column(group: Group) -> ColumnElement[Any]:  # Any: columns of several types.
    match group:
        case Group.DAY:
            return _DayOf(calls.c.at)
        case Group.MODEL:
            return calls.c.model
        case Group.TARGET:
            return calls.c.target
        case Group.KEY | Group.OWNER | Group.TAG:
            return calls.c.key_id


def _sums() -> list[ColumnElement[Any]]:  # Any: as above.
    """Return the columns of `Sums`, in order."""
    c = calls.c
    counted = [
        case((c.failure != "", 1), else_=0),
        c.input_tokens + c.cache_write_tokens + c.audio_in_tokens,
        c.cached_input_tokens,
        c.output_tokens + c.reasoning_tokens + c.audio_out_tokens,
        c.images,
        c.audio_s,
        c.cost_usd_micros,
        case((c.cost_usd_micros.is_(None), 1), else_=0),
        case((c.is_estimated, 1), else_=0),
    ]
    return [func.count(), *map(_sum, counted)]


def _sum(column: ColumnElement[Any]) -> ColumnElement[Any]:  # Any: as above.
    return func.coalesce(func.sum(column), 0)


def _read(values: Iterable[Any]) -> Sums:  # Any: what a database makes of sums.
    numbers = list(values)
    kinds = (int, int, int, int, int, int, float, int, int, int)
    return Sums(*(kind(number) for kind, number in zip(kinds, numbers, strict=True)))


def _narrowed(query: Select[Any], wanted: Wanted) -> Select[Any]:  # Any: as above.
    query = query.select_from(calls)
    if wanted.since is not None:
        query = query.where(calls.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(calls.c.at < wanted.until)
    if wanted.key_id is not None:
        query = query.where(calls.c.key_id == wanted.key_id)
    return query
