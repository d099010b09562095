"""Keys in the database."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Row, and_, case, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.sdk.providers import Clock
from gateway.state.key_fields import DEFAULT_PLAN, FieldError, KeyFields, check
from gateway.state.keys import (
    Key,
    KeyBookError,
    KeyQuery,
    digest_of,
    new_id,
    new_key,
    prefix_of,
)
from gateway.state.sql.tables import keys, versions

_T = TypeVar("_T")
_TICK_S = 1e-6
"""How far apart two versions of a key are at least, be the wall clock set back in between."""


class Transact(Protocol):
    """Does work in one transaction; raises `StateError` when the database cannot be used."""

    async def __call__(
        self,
        work: Callable[[AsyncConnection], Awaitable[_T]],
        *,
        done: Callable[[_T], None] | None = None,
    ) -> _T:
        """Return what `work` does; work that writes is told by `done`, before anybody else's."""


class SqlKeyBook:
    """See `KeyBook`. `changed` is told of every key that has been kept."""

    def __init__(self, transact: Transact, clock: Clock, changed: Callable[[Key], None]) -> None:
        self._transact = transact
        self._clock = clock
        self._changed = changed

    async def create(self, fields: KeyFields) -> tuple[Key, str]:
        """See `KeyBook.create`."""
        now = self._now()
        if "name" not in fields:
            raise FieldError("name", "a key needs a name")
        check(fields, now)
        text = new_key()
        key = Key(
            id=new_id(),
            digest=digest_of(text),
            prefix=prefix_of(text),
            name=fields["name"],
            owner=fields.get("owner", ""),
            tags=fields.get("tags", ()),
            plan=fields.get("plan", DEFAULT_PLAN),
            created_at=now,
            expires_at=fields.get("expires_at"),
            updated_at=now,
        )

        async def add(connection: AsyncConnection) -> Key:
            await add_key(connection, key)
            return key

        return await self._transact(add, done=self._changed), text

    async def list(self, query: KeyQuery) -> Sequence[Key]:
        """See `KeyBook.list`."""

        async def look(connection: AsyncConnection) -> Sequence[Key]:
            wanted = select(keys).where(*_conditions(query))
            if query.after is not None:
                wanted = wanted.where(_is_behind(await _one(connection, query.after)))
            wanted = wanted.order_by(keys.c.created_at, keys.c.id).limit(query.limit)
            return [_key(row) for row in await connection.execute(wanted)]

        return await self._transact(look)

    async def get(self, id_: str) -> Key | None:
        """See `KeyBook.get`."""
        return next(iter(await self._transact(lambda one: _where(one, keys.c.id == id_))), None)

    async def find(self, name: str) -> Sequence[Key]:
        """See `KeyBook.find`."""
        return await self._transact(lambda connection: find_keys(connection, name))

    async def change(
        self, id_: str, fields: KeyFields, *, seen: Collection[float] | None = None
    ) -> Key:
        """See `KeyBook.change`."""
        check(fields, self._now())
        tags = {"tags": _tags(fields["tags"])} if "tags" in fields else {}
        return await self._update(id_, {**fields, **tags}, seen)

    async def rotate(self, id_: str, *, seen: Collection[float] | None = None) -> tuple[Key, str]:
        """See `KeyBook.rotate`."""
        text = new_key()
        values = {"digest": digest_of(text), "prefix": prefix_of(text)}
        return await self._update(id_, values, seen), text

    async def revoke(self, id_: str, *, seen: Collection[float] | None = None) -> Key:
        """See `KeyBook.revoke`."""
        try:
            return await self._update(id_, {"revoked_at": self._now()}, seen)
        except KeyBookError as error:
            found = await self.get(id_) if error.reason == "revoked" else None
            if found is None:
                raise
            return found

    async def _update(
        self, id_: str, values: Mapping[str, object], seen: Collection[float] | None
    ) -> Key:
        """Change a key that is not revoked, if it is as it was seen: one statement says both."""
        now = self._now()
        version = case((keys.c.updated_at >= now, keys.c.updated_at + _TICK_S), else_=now)
        conditions = [keys.c.id == id_, keys.c.revoked_at.is_(None)]
        if seen is not None:
            conditions.append(keys.c.updated_at.in_(seen))
        wanted = update(keys).where(*conditions).values(**values, updated_at=version)

        async def work(connection: AsyncConnection) -> Key:
            row = (await connection.execute(wanted.returning(*keys.c))).one_or_none()
            if row is not None:
                return _key(row)
            found = await _one(connection, id_)
            raise KeyBookError(id_, "stale" if found.revoked_at is None else "revoked")

        return await self._transact(work, done=self._changed)

    def _now(self) -> float:
        return self._clock.now().timestamp()


async def keys_version(connection: AsyncConnection) -> int:
    """Return a number that is another one after each change of the keys, whoever made it."""
    wanted = select(versions.c.version).where(versions.c.name == "keys")
    return int((await connection.execute(wanted)).scalar_one())


async def read_keys(connection: AsyncConnection) -> list[Key]:
    """Return the keys that are not revoked, the oldest first."""
    wanted = select(keys).where(*_conditions(KeyQuery()))
    rows = await connection.execute(wanted.order_by(keys.c.created_at, keys.c.id))
    return [_key(row) for row in rows]


async def add_key(connection: AsyncConnection, key: Key) -> None:
    """Keep a new key."""
    await connection.execute(insert(keys).values(_row(key)))


async def find_keys(connection: AsyncConnection, name: str) -> Sequence[Key]:
    """Return the keys whose id or shown prefix is `name`: one, unless prefixes are alike."""
    return await _where(connection, or_(keys.c.id == name, keys.c.prefix == name))


async def _where(connection: AsyncConnection, condition: ColumnElement[bool]) -> Sequence[Key]:
    return [_key(row) for row in await connection.execute(select(keys).where(condition))]


async def _one(connection: AsyncConnection, id_: str) -> Key:
    row = (await connection.execute(select(keys).where(keys.c.id == id_))).one_or_none()
    if row is None:
        raise KeyBookError(id_, "unknown")
    return _key(row)


def _conditions(query: KeyQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if not query.with_revoked:
        found.append(keys.c.revoked_at.is_(None))
    if query.owner is not None:
        found.append(keys.c.owner == query.owner)
    if query.plan is not None:
        found.append(keys.c.plan == query.plan)
    if query.tag is not None:
        # A tag stands in the list as JSON, quotes and all, so that it is no part of another. Every
        # database has `replace`, and tells capitals apart in it.
        found.append(func.replace(keys.c.tags, json.dumps(query.tag), "") != keys.c.tags)
    return found


def _is_behind(key: Key) -> ColumnElement[bool]:
    created = keys.c.created_at
    return or_(created > key.created_at, and_(created == key.created_at, keys.c.id > key.id))


def _row(key: Key) -> dict[str, object]:
    row = {name: getattr(key, name) for name in keys.c.keys()}  # noqa: SIM118 - no dictionary.
    return {**row, "tags": _tags(key.tags)}


def _tags(tags: Collection[str]) -> str:
    return json.dumps([*tags])


def _key(row: Row[Any]) -> Key:  # Any: columns of several types.
    fields = dict(row._mapping)  # noqa: SLF001 - how SQLAlchemy calls a public attribute.
    return Key(**{**fields, "tags": tuple(json.JSONDecoder().decode(fields["tags"]))})
