"""`dynagate models list` and `dynagate models show`."""

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.report import (
    config_errors_reported,
    end,
    human_size,
    print_json,
    print_table,
)
from gateway.config.places import cache_dir

if TYPE_CHECKING:
    from gateway.config.document import Document
    from gateway.registry import ConfiguredProvider

_MODELS_HEADER = ("MODEL", "ALIASES", "TARGET", "ANSWERS")
_WEIGHTS_HEADER = ("KIND", "ID", "SIZE", "MEMORY", "LICENCE", "HERE", "DESCRIPTION")
_Row = dict[str, Any]  # Any: what is printed as JSON.


def list_models(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    weights: Annotated[
        bool, typer.Option("--weights", help="List the weights that can be brought instead.")
    ] = False,
) -> None:
    """List the configured models, who answers them, and if not, why not."""
    document, providers = _prepared(config)
    rows = _weights(providers) if weights else _models(document, providers)
    if as_json:
        print_json(rows)
    elif weights:
        print_table(_WEIGHTS_HEADER, [_weight_cells(row) for row in rows])
    else:
        print_table(_MODELS_HEADER, [cells for row in rows for cells in _model_cells(row)])


def show(
    name: Annotated[str, typer.Argument(help="A model's name or one of its aliases.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one model: its targets, and what the configuration says of them."""
    document, providers = _prepared(config)
    found = _resolve(document, name)
    if found is None:
        known = [
            *document.models,
            *(a for model in document.models.values() for a in model.aliases),
        ]
        near = ", ".join(get_close_matches(name, known)) or ", ".join(document.models)
        end(f"no model is called {name}; there is {near}")
    row = next(row for row in _models(document, providers) if row["name"] == found)
    for target, configured in zip(row["targets"], document.models[found].targets, strict=True):
        target["card"] = configured.card.model_dump(mode="json", exclude_none=True)
    if as_json:
        print_json(row)
        return
    typer.echo(f"{row['name']}: {row['description'] or 'no description'}")
    if row["aliases"]:
        typer.echo(f"aliases: {', '.join(row['aliases'])}")
    for target in row["targets"]:
        typer.echo(f"target {target['provider']}/{target['model']}: {_answers(target)}")
        for key, value in target["card"].items():
            typer.echo(f"  {key}: {value}")


def _prepared(config: ConfigOption) -> "tuple[Document, dict[str, ConfiguredProvider]]":
    from gateway.cli.preparation import load_config, load_providers

    with config_errors_reported():
        loaded = load_config(config)
        return loaded.document, load_providers(loaded)


def _models(document: "Document", providers: "dict[str, ConfiguredProvider]") -> list[_Row]:
    from gateway.cli.preparation import why_not

    cache = cache_dir(os.environ)
    reasons = {name: why_not(provider, cache) for name, provider in providers.items()}
    rows: list[_Row] = []
    for name, model in document.models.items():
        targets = [
            {
                "provider": target.provider,
                "model": target.model,
                "answers": reasons[target.provider] is None,
                "reason": reasons[target.provider],
            }
            for target in model.targets
        ]
        rows.append(
            {
                "name": name,
                "aliases": list(model.aliases),
                "description": model.description,
                "answers": any(target["answers"] for target in targets),
                "targets": targets,
            }
        )
    return rows


def _model_cells(row: _Row) -> list[tuple[str, str, str, str]]:
    """Return a line for each target; the name and aliases stand on the first."""
    first = (row["name"], " ".join(row["aliases"]))
    return [
        (
            *(first if index == 0 else ("", "")),
            f"{target['provider']}/{target['model']}",
            _answers(target),
        )
        for index, target in enumerate(row["targets"])
    ]


def _answers(target: _Row) -> str:
    return "yes" if target["answers"] else f"no: {target['reason']}"


def _weights(providers: "dict[str, ConfiguredProvider]") -> list[_Row]:
    cache = cache_dir(os.environ)
    kinds = {provider.kind.name: provider.kind for provider in providers.values()}
    return [
        {
            "kind": kind.name,
            "id": weight.id,
            "description": weight.description,
            "licence": weight.licence,
            "size_bytes": weight.size_bytes,
            "ram_bytes": weight.ram_bytes,
            "sha256": weight.sha256,
            "is_default": weight.is_default,
            "path": None if weight.path is None else str(weight.path),
        }
        for kind in kinds.values()
        if kind.weights is not None
        for weight in kind.weights.listed(cache)
    ]


def _weight_cells(row: _Row) -> tuple[str, ...]:
    return (
        row["kind"],
        f"{row['id']} (default)" if row["is_default"] else row["id"],
        human_size(row["size_bytes"]),
        human_size(row["ram_bytes"]),
        row["licence"],
        "no" if row["path"] is None else "yes",
        row["description"],
    )


def _resolve(document: "Document", name: str) -> str | None:
    """Return the model that `name` leads to: by its name, an alias, the longest wildcard."""
    if name in document.models:
        return name
    for candidate, model in document.models.items():
        if name in model.aliases:
            return candidate
    wild = [
        model for model in document.models if model.endswith("*") and name.startswith(model[:-1])
    ]
    return max(wild, key=len, default=None)
