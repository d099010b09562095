"""`dynagate version`."""

import platform

import typer

from gateway.cli.options import JsonOption
from gateway.cli.report import print_json


def version(as_json: JsonOption = False) -> None:
    """Say the version."""
    if as_json:
        print_json({"dynagate": _installed(), "python": platform.python_version()})
    else:
        typer.echo(describe_version())


def describe_version() -> str:
    """Return the one line that `version` prints."""
    return f"dynagate {_installed()} (Python {platform.python_version()})"


def _installed() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("dynagate")
    except PackageNotFoundError:
        return "not installed"
