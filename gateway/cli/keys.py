"""`dynagate keys`: who may call, and on which plan."""

import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.db import database_of
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.report import WRONG, config_errors_reported, end, print_json, print_table

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeVar

    from gateway.config.document import Document
    from gateway.state.keys import Key
    from gateway.state.sql.database import Transaction

    T = TypeVar("T")

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Its id, or its shown prefix.")]
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
    from gateway.state.keys import Key, digest_of, new_key, prefix_of
    from gateway.state.sql.keys import add_key

    _check_plan(plan, config)
    text, now = new_key(), _now()
    key = Key(
        id=f"key_{secrets.token_hex(6)}",
        digest=digest_of(text),
        prefix=prefix_of(text),
        name=name,
        owner=owner,
        tags=tuple(tag or ()),
        plan=plan,
        created_at=now,
        expires_at=None if expires is None else _moment(expires, now),
        updated_at=now,
    )
    _with_database(config, lambda connection: add_key(connection, key))
    _show_once(key, text, as_json=as_json)


def list_keys(
    *,
    with_revoked: Annotated[bool, typer.Option("--all", help="Revoked ones, too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys."""
    from gateway.state.sql.keys import read_keys

    found = _with_database(
        config, lambda connection: read_keys(connection, with_revoked=with_revoked)
    )
    document = _document(config)
    if as_json:
        print_json([_described_fully(key, document) for key in found])
        return
    header = ("ID", "KEY", "NAME", "OWNER", "PLAN", "CREATED", "EXPIRES", "STATE")
    print_table(header, [_cells(key, document) for key in found])


def show_key(key: KeyArgument, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one key."""

    async def look(connection: "Transaction") -> "Key":
        return await _one(connection, key)

    found, document = _with_database(config, look), _document(config)
    if as_json:
        print_json(_described_fully(found, document))
        return
    for name, value in {**_described(found), "plan": _plan(found, document)}.items():
        text = ", ".join(value) if isinstance(value, list) else value
        typer.echo(f"{name:<11} {'-' if text in {None, ''} else text}")


def rotate(key: KeyArgument, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Give a key another secret, shown this once; the old one ends within a second."""
    from dataclasses import replace

    from gateway.state.keys import digest_of, new_key, prefix_of
    from gateway.state.sql.keys import change_key

    text = new_key()

    async def change(connection: "Transaction") -> "Key":
        found = await _one(connection, key)
        if found.revoked_at is not None:
            end(f"{found.id} is revoked: create another")
        prefix = prefix_of(text)
        new = replace(found, digest=digest_of(text), prefix=prefix, updated_at=_now())
        await change_key(connection, new)
        return new

    _show_once(_with_database(config, change), text, as_json=as_json)


def revoke(key: KeyArgument, *, config: ConfigOption = None) -> None:
    """End a key within a second, for good."""
    from dataclasses import replace

    from gateway.state.sql.keys import change_key

    async def change(connection: "Transaction") -> "Key":
        found = await _one(connection, key)
        if found.revoked_at is None:
            now = _now()
            await change_key(connection, replace(found, revoked_at=now, updated_at=now))
        return found

    found = _with_database(config, change)
    typer.echo(f"{found.id} ({found.name}) is revoked")


def _with_database(config: "Path | None", work: "Callable[[Transaction], Awaitable[T]]") -> "T":
    """Do `work` in one transaction; exit with 2 if there is no database that can be used."""
    import asyncio

    path = database_of(config)
    from gateway.state.errors import StateError
    from gateway.state.sql.database import transact

    try:
        return asyncio.run(transact(path, work))
    except StateError as error:
        end(f"state.url: {error}", WRONG)


def _check_plan(plan: str, config: "Path | None") -> None:
    """Exit with 2 if no plan of that name is configured; `default` always is."""
    from gateway.state.keys import DEFAULT_PLAN

    plans = _document(config).plans
    if plan != DEFAULT_PLAN and plan not in plans:
        known = ", ".join({DEFAULT_PLAN: None, **plans})
        end(f"--plan {plan}: there is no such plan; known are {known}", WRONG)


def _document(config: "Path | None") -> "Document":
    from gateway.cli.preparation import load_config

    with config_errors_reported():
        return load_config(config).document


async def _one(connection: "Transaction", name: str) -> "Key":
    from gateway.state.sql.keys import find_keys

    found = await find_keys(connection, name)
    if not found:
        end(f"there is no key {name}: `dynagate keys list --all` shows them")
    if len(found) > 1:
        end(f"{name} is how several keys begin: {', '.join(key.id for key in found)}")
    return found[0]


def _show_once(key: "Key", text: str, *, as_json: bool) -> None:
    if as_json:
        print_json({**_described(key), "key": text})
        return
    typer.echo(text)
    typer.echo(f"{key.id} ({key.name}): this is shown once, and kept as a hash", err=True)


def _described(key: "Key") -> dict[str, Any]:  # Any: what is printed as JSON.
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "owner": key.owner,
        "tags": list(key.tags),
        "plan": key.plan,
        "state": _state(key),
        "created_at": _told(key.created_at),
        "expires_at": _told(key.expires_at),
        "revoked_at": _told(key.revoked_at),
        "updated_at": _told(key.updated_at),
    }


def _described_fully(key: "Key", document: "Document") -> dict[str, Any]:  # Any: as above.
    """Return what is printed of a key beside its configuration."""
    from gateway.pipeline.gone_plans import is_gone

    return {**_described(key), "is_plan_gone": is_gone(key, document)}


def _cells(key: "Key", document: "Document") -> tuple[str, ...]:
    created, expires = _told(key.created_at), _told(key.expires_at)
    plan, state = _plan(key, document), _state(key)
    cells = (key.id, key.prefix, key.name, key.owner, plan, created, expires, state)
    return tuple(cell or "-" for cell in cells)


def _plan(key: "Key", document: "Document") -> str:
    from gateway.pipeline.gone_plans import is_gone

    return f"{key.plan} (gone)" if is_gone(key, document) else key.plan


def _state(key: "Key") -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "active" if key.is_valid(_now()) else "expired"


def _moment(text: str, now: float) -> float:
    """Return the Unix time that `--expires` means."""
    found = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if found is not None:
        return now + int(found[1]) * _UNITS_S[found[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        end(f"--expires {text}: write 30d, 12h, 90m or a date such as 2030-01-31", WRONG)
    moment = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if moment <= now:
        end(f"--expires {text}: this is over already", WRONG)
    return moment


def _told(moment: float | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _now() -> float:
    return datetime.now(UTC).timestamp()
