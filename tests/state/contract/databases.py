"""What tests do to a database, whatever its kind."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from gateway.config.database import Place
from gateway.state.sql import upgrade
from gateway.state.sql.database import open_database

T = TypeVar("T")


async def made(place: Place) -> str | None:
    """Do what `dynagate db upgrade` does; return the revision that was there, if it changed."""
    database, found = await open_database(place, is_upgrade=True)
    await database.aclose()
    return found


async def done(place: Place, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do `work` in a transaction of a client that knows nothing of the gateway."""
    if isinstance(place, Path):
        place.parent.mkdir(exist_ok=True)
        engine = create_async_engine(f"sqlite+aiosqlite:///{place}")
    else:
        engine = create_async_engine(place.url.replace("postgresql:", "postgresql+asyncpg:"))
    try:
        async with engine.begin() as connection:
            return await work(connection)
    finally:
        await engine.dispose()


async def rows_of(place: Place, text: str) -> list[Any]:  # Any: rows of any columns.
    """Do one statement and return its rows, if it has any."""

    async def work(connection: AsyncConnection) -> list[Any]:  # Any: as above.
        found = await connection.exec_driver_sql(text)
        return [tuple(row) for row in found] if found.returns_rows else []

    return await done(place, work)


async def migrated(place: Place, revision: str) -> None:
    """Make the tables by the revisions, one by one, as far as `revision`."""

    def migrate(connection: Connection) -> None:
        config = Config(attributes={"connection": connection})
        folder = Path(upgrade.__file__).parent / "migrations"
        config.set_main_option("script_location", str(folder))
        command.upgrade(config, revision)

    await done(place, lambda connection: connection.run_sync(migrate))


async def shape_of(place: Place) -> dict[str, object]:
    """Return what there is: tables, columns, indices, triggers, and what is noted of changes."""

    def look(connection: Connection) -> dict[str, object]:
        found = inspect(connection)
        is_sqlite = connection.dialect.name == "sqlite"
        triggers = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
            if is_sqlite
            else "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        )
        versions = connection.exec_driver_sql("SELECT name, version FROM versions")
        return {
            "triggers": [tuple(row) for row in connection.exec_driver_sql(triggers)],
            "versions": [tuple(row) for row in versions],
            **{
                name: (
                    [{**one, "type": repr(one["type"])} for one in found.get_columns(name)],
                    found.get_pk_constraint(name)["constrained_columns"],
                    sorted(
                        (str(one["name"]), tuple(one["column_names"]))
                        for one in found.get_indexes(name)
                    ),
                    sorted(
                        tuple(one["column_names"]) for one in found.get_unique_constraints(name)
                    ),
                )
                for name in found.get_table_names()
            },
        }

    return await done(place, lambda connection: connection.run_sync(look))
