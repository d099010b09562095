"""`dynagate`: the table of verbs.

Exit codes: 0 done, 1 failed, 2 the command line or the configuration is wrong.
"""

from typing import Annotated

import typer

from gateway.cli.chat import chat
from gateway.cli.check import check
from gateway.cli.db import upgrade
from gateway.cli.explain import explain
from gateway.cli.init import init
from gateway.cli.key_limits import limits
from gateway.cli.keys import create, list_keys, revoke, rotate, show_key
from gateway.cli.models import list_models, show
from gateway.cli.plugins import plugins
from gateway.cli.pull import pull
from gateway.cli.serve import serve
from gateway.cli.usage import export, usage
from gateway.cli.version import describe_version, version


def main() -> None:
    """Run the command line and exit."""
    command()(prog_name="dynagate")


def command() -> typer.Typer:
    """Return the whole command line."""
    root = typer.Typer(
        help="A self-hosted AI gateway: many dialects in, one meaning, many providers out.",
        epilog="Start with `dynagate init`, `dynagate check` and `dynagate serve`.",
        no_args_is_help=True,
        # Its tracebacks show local variables, and so secrets.
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.callback()(_options)
    for verb in (serve, check, explain, init, plugins, chat, version):
        root.command()(verb)
    models = typer.Typer(
        help="Show the configured models; bring their weights.", no_args_is_help=True
    )
    models.command("list")(list_models)
    models.command()(show)
    models.command()(pull)
    root.add_typer(models, name="models")
    keys = typer.Typer(help="Say who may call.", no_args_is_help=True)
    keys.command()(create)
    keys.command()(rotate)
    keys.command()(revoke)
    keys.command()(limits)
    keys.command("list")(list_keys)
    keys.command("show")(show_key)
    root.add_typer(keys, name="keys")
    used = typer.Typer(help="Say what has been used, and export it.")
    used.callback(invoke_without_command=True)(usage)
    used.command()(export)
    root.add_typer(used, name="usage")
    database = typer.Typer(help="Look after the database.", no_args_is_help=True)
    database.command()(upgrade)
    root.add_typer(database, name="db")
    return root


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(describe_version())
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Say the version.", is_eager=True, callback=_show_version),
    ] = False,
) -> None:
    pass
