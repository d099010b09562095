"""`dynagate keys`: who may call, and on which plan."""

import re
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.key_book import (
    KeyArgument,
    described,
    marked,
    named,
    print_fields,
    print_keys,
    refusals_reported,
    show_once,
    with_key_book,
)
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.report import WRONG, config_errors_reported, end, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.document import Document
    from gateway.state.keys import Key, KeyBook

_UNITS_S = {"m": 60, "h": 3600, "d": 86400}


def create(
    name: Annotated[str, typer.Argument(help="What to call it in lists.")],
    *,
    plan: Annotated[str, typer.Option(help="One of `plans` in the configuration.")] = "default",
    owner: Annotated[str, typer.Option(help="Whose it is.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="A label; can be given again.")] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="WHEN", help="After 30d, 12h, 90m; or at 2030-01-31.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, this once."""
    from gateway.state.key_fields import KeyFields

    _check_plan(plan, config)
    fields = KeyFields(name=name, owner=owner, tags=tuple(tag or ()), plan=plan)
    if expires is not None:
        fields["expires_at"] = _moment(expires)
    with refusals_reported():
        key, text = with_key_book(config, lambda book: book.create(fields))
    show_once(key, text, as_json=as_json)


def list_keys(
    *,
    with_revoked: Annotated[bool, typer.Option("--all", help="Revoked ones, too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys."""
    from gateway.state.keys import KeyQuery

    query = KeyQuery(with_revoked=with_revoked)
    found = with_key_book(config, lambda book: book.list(query))
    document = _document(config)
    rows = [described(key, document) for key in found]
    if as_json:
        print_json(rows)
        return
    print_keys(rows)


def show_key(key: KeyArgument, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one key."""
    found = with_key_book(config, lambda book: named(book, key))
    fields = described(found, _document(config))
    if as_json:
        print_json(fields)
        return
    print_fields(marked(fields))


def rotate(key: KeyArgument, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Give a key another secret, shown this once; the old one ends within a second."""

    async def work(book: "KeyBook") -> "tuple[Key, str]":
        return await book.rotate((await named(book, key)).id)

    with refusals_reported():
        found, text = with_key_book(config, work)
    show_once(found, text, as_json=as_json)


def revoke(key: KeyArgument, *, config: ConfigOption = None) -> None:
    """End a key within a second, for good."""

    async def work(book: "KeyBook") -> "Key":
        return await book.revoke((await named(book, key)).id)

    found = with_key_book(config, work)
    typer.echo(f"{found.id} ({found.name}) is revoked")


def _check_plan(plan: str, config: "Path | None") -> None:
    """Exit with 2 if no plan of that name is configured; `default` always is."""
    from gateway.state.key_fields import FieldError, check_plan

    try:
        check_plan(plan, _document(config).plans)
    except FieldError as error:
        end(f"--plan {plan}: {error.message}", WRONG)


def _document(config: "Path | None") -> "Document":
    from gateway.cli.preparation import load_config

    with config_errors_reported():
        return load_config(config).document


def _moment(text: str) -> float:
    """Return the Unix time that `--expires` means."""
    from gateway.sdk.clock import SystemClock
    from gateway.state.key_fields import FieldError, check, parse_moment

    now = SystemClock().now().timestamp()
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    try:
        moment = parse_moment(text) if found is None else now + int(found[1]) * _UNITS_S[found[2]]
        check({"expires_at": moment}, now)
    except FieldError as error:
        end(f"--expires {text}: {error.message}; or 30d, 12h, 90m from now", WRONG)
    return moment
