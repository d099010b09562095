"""`dynagate models pull`."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import ConfigOption
from gateway.cli.report import FAILED, WRONG, config_errors_reported, end, human_size
from gateway.config.places import cache_dir

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.registry import ConfiguredProvider
    from gateway.sdk.weights import Weights

    Wanted = list[tuple[Weights, str]]


def pull(
    weight: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="As `models list --weights` gives it.")
    ] = None,
    needed: Annotated[
        bool, typer.Option("--needed", help="What the configuration cannot work without.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Bring weights to the cache; what is there already is not brought again."""
    if (weight is None) != needed:
        end("name one of `dynagate models list --weights`, or write --needed", WRONG)
    from gateway.cli.preparation import load_config, load_providers

    with config_errors_reported():
        providers = load_providers(load_config(config))
    cache = cache_dir(os.environ)
    wanted = _needed(providers, cache) if weight is None else _named(providers, cache, weight)
    if not wanted:
        typer.echo("all weights that are needed are here")
    failures = [not _bring(weights, id_, cache) for weights, id_ in wanted]
    if any(failures):
        raise typer.Exit(FAILED)


def _needed(providers: "dict[str, ConfiguredProvider]", cache: "Path") -> "Wanted":
    from gateway.cli.preparation import missing_weights

    # Two providers of one kind may need the same weights.
    wanted = {
        (provider.kind.name, id_): (provider.kind.weights, id_)
        for provider in providers.values()
        for id_ in missing_weights(provider, cache)
    }
    return [(weights, id_) for weights, id_ in wanted.values() if weights is not None]


def _named(providers: "dict[str, ConfiguredProvider]", cache: "Path", id_: str) -> "Wanted":
    kinds = {provider.kind.name: provider.kind.weights for provider in providers.values()}
    listed = {
        name: [weight.id for weight in weights.listed(cache)]
        for name, weights in kinds.items()
        if weights is not None
    }
    found = [name for name, ids in listed.items() if id_ in ids]
    if not found:
        known = ", ".join(id_ for ids in listed.values() for id_ in ids)
        end(f"no configured provider has weights called {id_}; there is {known or 'none'}", WRONG)
    return [(weights, id_) for name in found if (weights := kinds[name]) is not None]


def _bring(weights: "Weights", id_: str, cache: "Path") -> bool:
    """Pull one model and say how it ended; return whether it is here."""
    from gateway.cli.progress import progress_shown
    from gateway.sdk.weights import PullError

    try:
        with progress_shown() as progress:
            weight, notices = weights.pull(id_, cache, progress)
    except PullError as error:
        typer.echo(f"{id_}: {error}", err=True)
        return False
    except KeyboardInterrupt:
        end(f"{id_}: stopped; the same command goes on from here")
    typer.echo(f"{weight.id}: {weight.path} ({human_size(weight.size_bytes)}, {weight.licence})")
    for notice in notices:
        typer.echo(f"{weight.id}: {notice}")
    return True
