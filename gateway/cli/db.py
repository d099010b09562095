"""`dynagate db`: the database that `state.url` names."""

from typing import TYPE_CHECKING

import typer

from gateway.cli.options import ConfigOption
from gateway.cli.report import WRONG, config_errors_reported, end

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.database import Place

NO_DATABASE = (
    "state.url is memory://, so there is no database: write "
    "`state: {url: sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite}`"
)


def upgrade(config: ConfigOption = None) -> None:
    """Make the tables, or bring them up to date; `serve` does it by itself with SQLite."""
    import asyncio

    place = database_of(config)
    from gateway.state.errors import StateError

    try:
        found = asyncio.run(_upgraded(place))
    except StateError as error:
        end(f"state.url: {error}", WRONG)
    done = {None: "is up to date", "": "has been made"}.get(found, f"had revision {found}")
    typer.echo(f"{place} {done}")


def database_of(config: "Path | None") -> "Place":
    """Return where the configuration's database is; exit with 2 if it has none."""
    import os

    from gateway.cli.preparation import load_config
    from gateway.config.database import place_of

    with config_errors_reported():
        loaded = load_config(config)
    place = place_of(loaded.document.state.url, os.environ)
    if place is None:
        end(NO_DATABASE, WRONG)
    return place


async def _upgraded(place: "Place") -> str | None:
    from gateway.state.sql.database import open_database

    database, found = await open_database(place, is_upgrade=True)
    await database.aclose()
    return found
