"""`dynagate keys limits`: how a key stands, as far as the database knows."""

from typing import TYPE_CHECKING

import typer

from gateway.cli.key_book import KeyArgument, named, print_fields, with_key_book
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.report import WRONG, config_errors_reported, end, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.schema.json import JsonObject
    from gateway.sdk.providers import Clock
    from gateway.state.counters import Share, Used

_KEPT = (
    "as a running gateway last wrote it down, which it does each second; calls under way are told "
    "by GET /admin/keys/{}/limits"
)
_ELSEWHERE = (
    "what is used is counted in the Valkey that the processes share, and is not told here: ask "
    "GET /admin/keys/{}/limits"
)


def limits(key: KeyArgument, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what the plan of a key allows, and how much of it is used."""
    from gateway.cli.preparation import load_config
    from gateway.pipeline.limits.standing import demand_of_key, told
    from gateway.sdk.clock import SystemClock
    from gateway.state.counters import Standing, Used

    found = with_key_book(config, lambda book: named(book, key))
    with config_errors_reported():
        document = load_config(config).document
    clock = SystemClock()
    shares = demand_of_key(found, document, clock).shares
    is_elsewhere = document.state.valkey is not None or document.server.workers > 1
    used = [Used(0, None)] * len(shares) if is_elsewhere else _kept(config, shares, clock)
    standing = told(found, document, clock, Standing(tuple(used), 0), is_live=False)
    if is_elsewhere:
        standing = {**standing, "windows": []}  # Nobody here knows, and 0 would be wrong.
    if as_json:
        print_json(standing)
    else:
        print_fields(_lines(standing))
    if is_elsewhere or not as_json:
        typer.echo((_ELSEWHERE if is_elsewhere else _KEPT).format(found.id), err=True)


def _kept(config: "Path | None", shares: "Sequence[Share]", clock: "Clock") -> "list[Used]":
    """Return what the database has of each share's window; a database that fails is the end."""
    import asyncio
    import math

    from gateway.cli.db import database_of
    from gateway.state.counters import Used
    from gateway.state.errors import StateError
    from gateway.state.sql.database import transact
    from gateway.state.sql.windows import find_windows

    keys = [share.key for share in shares]
    try:
        kept = asyncio.run(
            transact(database_of(config), lambda connection: find_windows(connection, keys))
        )
    except StateError as error:
        end(f"state.url: {error}", WRONG)
    now = clock.now().timestamp()
    running = {(one.key, one.period_s): one for one in kept if one.ends_at > now}
    windows = [running.get((share.key, share.period_s)) for share in shares]
    return [Used(one.used, math.ceil(one.ends_at)) if one else Used(0, None) for one in windows]


def _lines(standing: "JsonObject") -> "JsonObject":
    from gateway.pipeline.limits.standing import COST
    from gateway.pipeline.limits.windows import dollars

    lines = {"id": standing["id"], "plan": standing["plan"], **standing["allows"]}
    budget = lines["budget"]
    if budget is not None:
        lines["budget"] = f"{dollars(round(budget['usd'] * 1_000_000))} a {budget['per']}"
    for window in standing["windows"]:
        counts = window["counts"]
        used, limit, remaining = (window[name] for name in ("used", "limit", "remaining"))
        name, unit = "" if counts == "requests" else f" {counts}", f" {counts}"
        if counts == COST:
            name, unit = " budget", ""
            used, limit, remaining = map(dollars, (used, limit, remaining))
        end_ = f", until {window['resets_at']}" if window["resets_at"] else ""
        lines[f"used{name}"] = f"{used} of {limit}{unit}{end_}"
        lines[f"remaining{name}"] = str(remaining)
    return lines
