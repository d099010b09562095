"""`INSERT … ON CONFLICT`, which each kind of database has in a dialect of its own."""

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import Insert
from sqlalchemy.ext.asyncio import AsyncConnection


def insert_into(connection: AsyncConnection, table: Table) -> Insert:
    """Return an insert that `on_conflict_do_update` and `on_conflict_do_nothing` can be said of.

    PostgreSQL's has the same methods, and wants `index_elements` with the former.
    """
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - for those who have one.

        return postgresql.insert(table)  # type: ignore[return-value] # The same, by another name.
    return sqlite.insert(table)
