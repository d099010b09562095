"""What the verbs print, and how they end."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

import typer

from gateway.config.problems import ConfigError

FAILED = 1
WRONG = 2


@contextmanager
def config_errors_reported() -> Iterator[None]:
    """Turn `ConfigError` into one line for each problem on standard error, and exit code 2."""
    try:
        yield
    except ConfigError as error:
        end(str(error), WRONG)


def end(message: str, code: int = FAILED) -> NoReturn:
    """Say `message` on standard error and exit."""
    typer.echo(message, err=True)
    raise typer.Exit(code)


def print_json(value: object) -> None:
    """Print `value` for machines, indented all the same."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns that are aligned and never wrapped or cut, so that `grep` and `cut` work."""
    lines = [header, *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(header))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def human_size(size_bytes: float) -> str:
    """Return `size_bytes` in decimal units, as download pages give it: `1.2 GB`."""
    for unit in ("B", "kB", "MB"):
        if size_bytes < 1000:  # noqa: PLR2004 - decimal units.
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"
