"""Keys in the database."""

import json
from typing import Any

from sqlalchemy import Row, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.state.keys import Key
from gateway.state.sql.tables import keys, versions


async def read_keys(connection: AsyncConnection, *, with_revoked: bool = False) -> list[Key]:
    """Return the keys, the oldest first; those that were revoked only when asked for."""
    wanted = select(keys).order_by(keys.c.created_at, keys.c.id)
    if not with_revoked:
        wanted = wanted.where(keys.c.revoked_at.is_(None))
    return [_key(row) for row in await connection.execute(wanted)]


async def keys_version(connection: AsyncConnection) -> int:
    """Return a number that is another one after each change of the keys, whoever made it."""
    wanted = select(versions.c.version).where(versions.c.name == "keys")
    return int((await connection.execute(wanted)).scalar_one())


async def find_keys(connection: AsyncConnection, name: str) -> list[Key]:
    """Return the keys whose id or shown prefix is `name`: one, unless prefixes are alike.

    Nobody else changes them until the transaction has ended.
    """
    wanted = select(keys).where(or_(keys.c.id == name, keys.c.prefix == name)).with_for_update()
    return [_key(row) for row in await connection.execute(wanted)]


async def add_key(connection: AsyncConnection, key: Key) -> None:
    """Keep a new key."""
    await connection.execute(insert(keys).values(_row(key)))


async def change_key(connection: AsyncConnection, key: Key) -> None:
    """Keep `key` in place of what was kept under its id."""
    await connection.execute(update(keys).where(keys.c.id == key.id).values(_row(key)))


def _row(key: Key) -> dict[str, object]:
    row = {name: getattr(key, name) for name in keys.c.keys()}  # noqa: SIM118 - no dictionary.
    return {**row, "tags": json.dumps(key.tags)}


def _key(row: Row[Any]) -> Key:  # Any: columns of several types.
    fields = dict(row._mapping)  # noqa: SLF001 - how SQLAlchemy calls a public attribute.
    return Key(**{**fields, "tags": tuple(json.JSONDecoder().decode(fields["tags"]))})
