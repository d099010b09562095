"""`dynagate check`."""

from collections.abc import Sized
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import ConfigOption
from gateway.cli.report import config_errors_reported

if TYPE_CHECKING:
    from gateway.config.load import Loaded


def check(
    *,
    config: ConfigOption = None,
    against_running: Annotated[
        bool,
        typer.Option(
            "--against-running",
            help="Say what the gateway that runs with this file would change by reading it now.",
        ),
    ] = False,
    admin: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Its admin listener, if not at admin.listen of the file."
        ),
    ] = None,
) -> None:
    """Say whether the configuration would serve; exit with 2 and every problem if not."""
    import os

    from gateway.cli.against import differences
    from gateway.cli.preparation import load_config, load_providers, missing_weights
    from gateway.config.places import cache_dir
    from gateway.registry import unanswerable
    from gateway.supervisor.valkey import is_needed

    with config_errors_reported():
        loaded = load_config(config)
        providers = load_providers(loaded)
        is_needed(loaded)  # Or refused, where several processes would count for themselves.
    models = loaded.document.models
    typer.echo(f"ok: {_count(providers, 'provider')}, {_count(models, 'model')} ({loaded.path})")
    for name, reason in unanswerable(loaded.document, providers):
        typer.echo(f"nothing answers model {name}: {reason}")
    for name, provider in providers.items():
        if provider.missing is not None:
            typer.echo(f"{name} is not configured, its targets are skipped: {provider.missing}")
        elif missing := missing_weights(provider, cache_dir(os.environ)):
            typer.echo(
                f"{name} lacks weights: {', '.join(missing)}: `dynagate models pull --needed`"
            )
        if provider.missing is None and provider.empty_keys:
            typer.echo(f"{', '.join(provider.empty_keys)}: empty, skipped")
    for line in _gone_plans(loaded):
        typer.echo(line)
    for line in differences(loaded, admin) if against_running else ():
        typer.echo(line)


def _gone_plans(loaded: "Loaded") -> list[str]:
    """Return what there is to say of keys whose plan is gone; a database is looked at, not made."""
    import asyncio
    import os
    from datetime import UTC, datetime

    from gateway.config.database import place_of
    from gateway.pipeline.limits.gone_plans import gone_plans
    from gateway.state.errors import StateError

    place = place_of(loaded.document.state.url, os.environ)
    if place is None:
        return []
    from gateway.state.sql.database import look
    from gateway.state.sql.keys import read_keys

    try:
        keys = asyncio.run(look(place, read_keys))
    except StateError as error:
        return [f"state.url: {error}"]
    return gone_plans(keys or (), loaded.document, now=datetime.now(UTC).timestamp())


def _count(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"
