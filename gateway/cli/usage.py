"""`dynagate usage`: what has been used, and what it cost."""

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.db import database_of
from gateway.cli.options import ConfigOption, JsonOption
from gateway.cli.report import WRONG, end, print_json, print_table
from gateway.state.usage import NOBODY, Group, Wanted, moment_of
from gateway.state.usage_csv import write_report

if TYPE_CHECKING:
    from typing import TypeVar

    from gateway.state.sql.database import Transaction
    from gateway.state.usage import Report, Sums

    T = TypeVar("T")

_MICROS = 1_000_000


SinceOption = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="From then on: 30d, 12h, 90m ago; or 2030-01-31, in UTC."),
]
UntilOption = Annotated[
    str | None, typer.Option(metavar="WHEN", help="Before then, which is left out.")
]
KeyOption = Annotated[
    str | None, typer.Option(help="One key, by its id or its shown prefix; - is anonymous callers.")
]


def usage(
    context: typer.Context,
    *,
    by: Annotated[
        list[Group] | None, typer.Option(help="What to tell apart; can be given again.")
    ] = None,
    since: SinceOption = None,
    until: UntilOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="For spreadsheets.")] = False,
) -> None:
    """Say how many calls there were, what they used and what they cost."""
    if context.invoked_subcommand is not None:
        return
    if as_json and as_csv:
        end("--json and --csv: choose one", WRONG)
    groups = tuple(dict.fromkeys(by or ()))
    period = _period(since, until)

    async def work(connection: "Transaction") -> "Report":
        from gateway.state.sql.usage import report

        key_id = await _key_id(connection, key)
        return await report(connection, Wanted(groups, *period, key_id))

    found = _consulted(config, work)
    if as_json:
        print_json(found.document())
    elif as_csv:
        write_report(found, sys.stdout)
    else:
        _print(found)


def export(
    file: Annotated[Path, typer.Argument(help="FILE.csv or FILE.parquet.")],
    *,
    since: SinceOption = None,
    until: UntilOption = None,
    key: KeyOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write every call into a file, a row each."""
    from gateway.cli.usage_export import ExportError, write, writer_for

    period = _period(since, until)

    async def work(connection: "Transaction") -> int:
        from gateway.state.sql.usage import COLUMNS, entries

        key_id = await _key_id(connection, key)
        wanted = Wanted((), *period, key_id)
        return await write(file, writer, COLUMNS, entries(connection, wanted))

    try:
        writer = writer_for(file, is_forced=force)
        count = _consulted(config, work)
    except ExportError as error:
        end(str(error), WRONG)
    except OSError as error:
        end(f"{file} cannot be written: {error.strerror or type(error).__name__}")
    typer.echo(f"wrote {count} calls to {file}")


def _consulted(config: Path | None, work: "Callable[[Transaction], Awaitable[T]]") -> "T":
    """Do `work`, which only reads; exit with 2 if there is no database that can be used."""
    import asyncio

    place = database_of(config)
    from gateway.state.errors import StateError
    from gateway.state.sql.database import consult

    try:
        return asyncio.run(consult(place, work))
    except StateError as error:
        end(str(error), WRONG)


async def _key_id(connection: "Transaction", key: str | None) -> str | None:
    """Return the id that `--key` means; "" for anonymous callers, None for everybody."""
    from gateway.state.sql.keys import find_keys

    if key is None or key == NOBODY:
        return None if key is None else ""
    found = await find_keys(connection, key)
    if not found:
        end(f"there is no key {key}: `dynagate keys list --all` shows them")
    if len(found) > 1:
        end(f"{key} is how several keys begin: {', '.join(one.id for one in found)}")
    return found[0].id


def _period(since: str | None, until: str | None) -> tuple[float | None, float | None]:
    begin, last = _moment("--since", since), _moment("--until", until)
    if begin is not None and last is not None and begin >= last:
        end(f"--since {since} is not before --until {until}", WRONG)
    return begin, last


def _moment(option: str, text: str | None) -> float | None:
    """Return the Unix time that an option means: so long ago, or a date."""
    if text is None:
        return None
    try:
        return moment_of(text, datetime.now(UTC).timestamp())
    except ValueError:
        end(f"{option} {text}: write 30d, 12h, 90m or a date such as 2030-01-31", WRONG)


def _print(report: "Report") -> None:
    header = [group.value.upper() for group in report.by]
    header += ["CALLS", "FAILED", "TOKENS IN", "CACHED", "TOKENS OUT", "IMAGES", "AUDIO S"]
    header += ["COST $", "NO PRICE", "ESTIMATED"]
    rows = [[*map(_printable, line.names), *_cells(line.sums)] for line in report.lines]
    if report.lines or not report.by:
        names = ["total", *[""] * (len(report.by) - 1)] if report.by else []
        rows.append([*names, *_cells(report.total)])
    print_table(header, rows)


def _cells(sums: "Sums") -> list[str]:
    return [
        str(sums.calls),
        str(sums.failures),
        str(sums.tokens_in),
        str(sums.cached_tokens_in),
        str(sums.tokens_out),
        str(sums.images),
        f"{sums.audio_s:.1f}",
        _dollars(sums.cost_usd_micros),
        str(sums.unpriced_calls),
        str(sums.estimated_calls),
    ]


def _dollars(micros: int) -> str:
    """Return millionths of a dollar as dollars, exactly."""
    return f"{micros // _MICROS}.{micros % _MICROS:06}"


def _printable(text: str) -> str:
    """Return `text` without what could speak to a terminal: callers choose the names of models."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
