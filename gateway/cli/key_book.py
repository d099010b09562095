"""What the verbs of `dynagate keys` share: the key book, and how a key is named and printed."""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.db import database_of
from gateway.cli.report import WRONG, end, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TypeVar

    from gateway.config.document import Document
    from gateway.schema.json import JsonObject
    from gateway.state.keys import Key, KeyBook

    T = TypeVar("T")

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Its id, or its shown prefix.")]
_COLUMNS = {
    "ID": "id",
    "KEY": "prefix",
    "NAME": "name",
    "OWNER": "owner",
    "PLAN": "plan",
    "CREATED": "created_at",
    "EXPIRES": "expires_at",
    "STATE": "state",
}


def with_key_book(
    config: "Path | None", work: "Callable[[KeyBook], Coroutine[Any, Any, T]]"
) -> "T":
    """Do `work` with the keys of the configuration's database; exit with 2 if there is none."""
    # Any: what a coroutine is sent and sends is its own business.
    import asyncio

    place = database_of(config)
    from gateway.state.errors import StateError
    from gateway.state.sql.key_book import open_key_book

    try:
        return asyncio.run(work(open_key_book(place)))
    except StateError as error:
        end(f"state.url: {error}", WRONG)


async def named(book: "KeyBook", name: str) -> "Key":
    """Return the one key of that id or prefix; exit with 1 if there is none, or are several."""
    found = await book.find(name)
    if not found:
        end(f"there is no key {name}: `dynagate keys list --all` shows them")
    if len(found) > 1:
        end(f"{name} is how several keys begin: {', '.join(key.id for key in found)}")
    return found[0]


@contextmanager
def refusals_reported() -> Iterator[None]:
    """Turn what cannot be kept, or done to a revoked key, into a line and an exit code."""
    from gateway.state.key_fields import FieldError
    from gateway.state.keys import KeyBookError

    try:
        yield
    except FieldError as error:
        end(f"{error.field}: {error.message}", WRONG)
    except KeyBookError as error:
        end(f"{error}: create another")


def show_once(key: "Key", text: str, *, as_json: bool) -> None:
    """Print the text of a key, which nobody can ask for again."""
    if as_json:
        print_json({**_shown(key), "key": text})
        return
    typer.echo(text)
    typer.echo(f"{key.id} ({key.name}): this is shown once, and kept as a hash", err=True)


def described(key: "Key", document: "Document") -> "JsonObject":
    """Return what may be shown of a key as it is now, beside its configuration."""
    from gateway.pipeline.limits.gone_plans import is_gone

    return {**_shown(key), "is_plan_gone": is_gone(key, document)}


def marked(described_: "JsonObject") -> "JsonObject":
    """Return it for people, who see at the plan's name that it is gone."""
    fields = {**described_}
    if fields.pop("is_plan_gone"):
        fields["plan"] += " (gone)"
    return fields


def _shown(key: "Key") -> "JsonObject":
    from gateway.sdk.clock import SystemClock
    from gateway.state.keys import shown

    return shown(key, SystemClock().now().timestamp())


def print_keys(keys: "Sequence[JsonObject]") -> None:
    """Print a table, a key a line, out of what is `described`."""
    rows = [marked(key) for key in keys]
    print_table([*_COLUMNS], [[row[field] or "-" for field in _COLUMNS.values()] for row in rows])


def print_fields(fields: "JsonObject") -> None:
    """Print a name and a value a line."""
    width = max(11, *map(len, fields))
    for name, value in fields.items():
        text = ", ".join(value) if isinstance(value, list) else value
        if isinstance(text, bool):
            text = "yes" if text else "no"
        typer.echo(f"{name:<{width}} {'-' if text in {None, ''} else text}")
