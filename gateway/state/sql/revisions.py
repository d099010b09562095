"""What revision the tables of a database have, and how they get the newest one."""

from collections.abc import Set as AbstractSet

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.state.errors import OutdatedError, StateError
from gateway.state.sql.tables import REVISIONS, create_tables

_OURS = {"alembic_version", "windows"}
"""Tables that every revision has. Others use alembic, too."""


async def bring_up_to_date(
    connection: AsyncConnection, name: str, tables: AbstractSet[str], *, may_change: bool
) -> str | None:
    """Make the tables, or add what is missing, in the connection's transaction.

    `tables` are those that are there, `name` says where. Returns the revision that was found if
    something changed, "" without any table. Raises `StateError`, and `OutdatedError` where
    something had to change and may not.
    """
    revision = await _revision(connection, name, tables)
    if revision == REVISIONS[-1]:
        return None
    if revision and revision not in REVISIONS:
        message = (
            f"{name} was written by a newer dynagate (revision {revision}, this one knows "
            f"{REVISIONS[-1]}): install that one, or name another database in state.url"
        )
        raise StateError(message)
    if not may_change:
        has = f"has revision {revision}" if revision else "has no tables yet"
        message = f"{name} {has}, and this dynagate needs {REVISIONS[-1]}: run dynagate db upgrade"
        raise OutdatedError(message)
    if revision:
        from gateway.state.sql.upgrade import upgrade_tables  # noqa: PLC0415 - see there.

        await connection.run_sync(upgrade_tables)
    else:
        await connection.run_sync(create_tables)
    return revision


async def _revision(connection: AsyncConnection, name: str, tables: AbstractSet[str]) -> str:
    """Return the revision of the tables, "" without any."""
    if not tables:
        return ""
    if not tables >= _OURS:
        message = (
            f"{name} is a database of something else; name another database in state.url, or "
            "write memory://"
        )
        raise StateError(message)
    row = await connection.exec_driver_sql("SELECT version_num FROM alembic_version")
    return str(row.scalar() or "0000")
