"""`dynagate check`."""

from collections.abc import Sized

import typer

from gateway.cli.options import ConfigOption
from gateway.cli.report import config_errors_reported


def check(config: ConfigOption = None) -> None:
    """Say whether the configuration would serve; exit with 2 and every problem if not."""
    import os

    from gateway.cli.preparation import load_config, load_providers, missing_weights
    from gateway.config.places import cache_dir
    from gateway.registry import unanswerable

    with config_errors_reported():
        loaded = load_config(config)
        providers = load_providers(loaded)
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


def _count(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"
