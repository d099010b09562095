"""`dynagate serve`."""

from typing import Annotated, Literal

import typer

from gateway.cli.options import ConfigOption
from gateway.cli.report import config_errors_reported


def serve(
    *,
    config: ConfigOption = None,
    host: Annotated[
        str | None,
        typer.Option(envvar="DYNAGATE_HOST", help="The address to listen on, for server.host."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(envvar="DYNAGATE_PORT", help="The port to listen on, for server.port."),
    ] = None,
    admin: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="For admin.listen; `none` is no admin listener."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", help="For server.workers: processes that answer callers."),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, typer.Option(help="For logs.level.")
    ] = None,
    log_format: Annotated[
        Literal["auto", "console", "json"] | None, typer.Option(help="For logs.format.")
    ] = None,
) -> None:
    """Run the gateway until it is told to stop.

    An option wins over its environment variable, and that over the file.
    """
    from gateway.cli.preparation import load_config
    from gateway.config.load import Override

    given: tuple[tuple[tuple[str, str], str | int | None, str], ...] = (
        (("server", "host"), host, "--host or DYNAGATE_HOST"),
        (("server", "port"), port, "--port or DYNAGATE_PORT"),
        (("admin", "listen"), admin, "--admin"),
        (("server", "workers"), workers, "--workers"),
        (("logs", "level"), log_level, "--log-level"),
        (("logs", "format"), log_format, "--log-format"),
    )
    overrides = [
        Override(loc, None if loc[0] == "admin" and value == "none" else value, origin)
        for loc, value, origin in given
        if value is not None
    ]
    with config_errors_reported():
        loaded = load_config(config, overrides)
        if loaded.document.server.workers > 1:
            from gateway.supervisor.supervisor import serve as run
        else:
            from gateway.running import serve as run
        code = run(loaded)
    raise typer.Exit(code)
