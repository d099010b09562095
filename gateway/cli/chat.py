"""`dynagate chat`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import ConfigOption
from gateway.cli.report import end

DEFAULT_URL = "http://127.0.0.1:8080"


def chat(
    prompt: Annotated[
        str | None, typer.Argument(help="Without one: a conversation, or what is piped in.")
    ] = None,
    *,
    model: Annotated[str, typer.Option("--model", "-m", help="A configured model.")] = "openai",
    url: Annotated[
        str | None, typer.Option(envvar="DYNAGATE_URL", help="Default: as the configuration says.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="Instructions for the model.")] = None,
    key: Annotated[
        str | None, typer.Option(envvar="DYNAGATE_API_KEY", help="A key of the gateway.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Talk to a running gateway.

    In a conversation ctrl-C stops an answer, ctrl-D leaves.
    """
    from gateway.cli.client import ChatError, Client
    from gateway.cli.conversation import Conversation, converse, print_piece

    if prompt is None and not sys.stdin.isatty():
        prompt = sys.stdin.read()
        if not prompt.strip():
            end("standard input is empty: write a prompt")
    try:
        talk = Conversation(Client(url or _url(config), key), model, system, print_piece)
        if prompt is None:
            converse(talk)
        else:
            talk.say(prompt)
    except ChatError as error:
        end(str(error))
    except KeyboardInterrupt:
        end("\nstopped")


def _url(config: Path | None) -> str:
    """Return where the configuration makes a gateway listen.

    One that does not load here says nothing: the gateway may run with keys that this shell lacks.
    """
    import os

    from gateway.config.load import load
    from gateway.config.places import find_config
    from gateway.config.problems import ConfigError

    try:
        server = load(find_config(config, os.environ), os.environ).document.server
    except ConfigError:
        return DEFAULT_URL
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(server.host, server.host)  # noqa: S104 - read, not bound.
    return f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
