"""`dynagate explain`: what would be done with a request."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.report import FAILED, WRONG, config_errors_reported, end, print_json, print_table

if TYPE_CHECKING:
    from gateway.schema.json import JsonObject

_MICROS = 1_000_000


def explain(
    file: Annotated[
        Path | None, typer.Argument(help="A JSON request, as a caller sends it. Default: stdin.")
    ] = None,
    *,
    path: Annotated[str, typer.Option(help="Where it would be sent.")] = "/v1/chat/completions",
    key_id: Annotated[str | None, typer.Option(help="Whose key would be sent, by its id.")] = None,
    plan: Annotated[str | None, typer.Option(help="For any key of this plan.")] = None,
    address: Annotated[str | None, typer.Option(help="Where the caller would be.")] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="By the configuration, whatever runs.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what would be done with a request, and do nothing of it.

    The running gateway is asked, by admin.listen and admin.secret; without one the configuration
    says as much as it can. Exits with 1 if the request would be refused.
    """
    given = {"path": path, "key_id": key_id, "plan": plan, "address": address}
    wish: JsonObject = {name: value for name, value in given.items() if value is not None}
    wish["body"] = _body(file)
    told = _told(wish, config, is_offline=offline)
    if as_json:
        print_json(told)
    else:
        _print(told)
    if told["error"] is not None:
        raise typer.Exit(FAILED)


def _told(wish: "JsonObject", config: Path | None, *, is_offline: bool) -> "JsonObject":
    from gateway.cli.explaining import ExplainError, NotRunningError, by_configuration, by_running
    from gateway.cli.preparation import load_config

    with config_errors_reported():
        loaded = load_config(config)
        try:
            if not is_offline:
                try:
                    return by_running(wish, loaded.document.admin)
                except NotRunningError as error:
                    typer.echo(f"{error}: this is what the configuration says", err=True)
            return by_configuration(wish, loaded)
        except ExplainError as error:
            end(str(error), WRONG)


def _body(file: Path | None) -> "JsonObject":
    from gateway.dialects.json_gate import parse_object
    from gateway.schema.failure import CallError

    if file is None and sys.stdin.isatty():
        end("write the request as JSON into a file, or pipe it in", WRONG)
    try:
        text = sys.stdin.buffer.read() if file is None else file.read_bytes()
        return parse_object(text)
    except OSError as error:
        end(f"{file} cannot be read: {error.strerror or type(error).__name__}", WRONG)
    except CallError as error:
        end(f"{file or 'standard input'}: {error.message}", WRONG)


def _print(told: "JsonObject") -> None:
    error = told["error"]
    if error is not None:
        typer.echo(f"refused: {error['status']} {error['code']}: {_printable(error['message'])}")
    if "candidates" not in told:
        return
    route, caller = told["route"], told["caller"]
    if caller is not None:
        who = caller["key_id"] or ("any key" if caller["plan"] else "anonymous")
        plan = f", plan {caller['plan']}" if caller["plan"] else ""
        typer.echo(f"caller: {who} from {caller['address']}{plan}")
    if route is not None:
        typer.echo(f"route: {route['name']}, {route['strategy']}")
    for name, words in (
        ("needs", told["needs"]),
        ("set", told["parameters"]["set"]),
        ("dropped", told["parameters"]["dropped"]),
        ("guards", list(told["guards"]["found"])),
    ):
        if words:
            typer.echo(f"{name}: {', '.join(words)}")
    for window in (told["limits"] or {"windows": ()})["windows"]:
        left = f"{window['remaining']} of {window['limit']}"
        typer.echo(f"limit: {window['counts']}: takes {window['takes']}, left are {left}")
    rows = [_row(line) for line in told["candidates"]]
    if rows:
        print_table(["PLACE", "TARGET", "WAY", "COST $", "WHY"], rows)


def _row(line: "JsonObject") -> list[str]:
    price = line.get("price")
    cost = "-"
    if price is not None:
        least, most = price["least_usd_micros"], price["most_usd_micros"]
        cost = f"{least / _MICROS:.6f} to {most / _MICROS:.6f}"
    if line["reason"] is not None:
        why = f"{line['reason']}: {line['said']}"
    else:
        dropped = line["dropped_params"]
        why = f"without {', '.join(dropped)}" if dropped else line["opened_because"] or ""
    place = "-" if line["place"] is None else str(line["place"])
    return [place, _printable(line["target"]), line.get("path", "-"), cost, _printable(why)]


def _printable(text: str) -> str:
    """Return `text` without what could speak to a terminal: callers choose the names of models."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
