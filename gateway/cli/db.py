"""`dynagate db`: the database that `state.url` names."""

from typing import TYPE_CHECKING

import typer

from gateway.cli.options import ConfigOption
from gateway.cli.report import WRONG, config_errors_reported, end

if TYPE_CHECKING:
    from pathlib import Path

NO_DATABASE = (
    "state.url is memory://, so there is no database: write "
    "`state: {url: sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite}`"
)


def upgrade(config: ConfigOption = None) -> None:
    """Make the database, or bring its tables up to date; `serve` does it by itself."""
    import asyncio

    path = database_of(config)
    from gateway.state.errors import StateError

    try:
        found = asyncio.run(_upgraded(path))
    except StateError as error:
        end(f"state.url: {error}", WRONG)
    done = {None: "is up to date", "": "has been made"}.get(found, f"had revision {found}")
    typer.echo(f"{path} {done}")


def database_of(config: "Path | None") -> "Path":
    """Return the file of the configuration's database; exit with 2 if it has none."""
    import os

    from gateway.cli.preparation import load_config
    from gateway.config.places import database_path

    with config_errors_reported():
        loaded = load_config(config)
    path = database_path(loaded.document.state.url, os.environ)
    if path is None:
        end(NO_DATABASE, WRONG)
    return path


async def _upgraded(path: "Path") -> str | None:
    from gateway.state.sql.database import open_database

    database, found = await open_database(path)
    await database.aclose()
    return found
