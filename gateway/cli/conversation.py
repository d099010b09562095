"""A conversation with a running gateway: what was said so far, and the loop that asks for more."""

import sys
from collections.abc import Callable
from contextlib import closing, suppress

import typer

from gateway.cli.client import ChatError, Client

# What could move the cursor, retitle the window or fill the clipboard of whoever reads the answer.
_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)))


class Conversation:
    """What was said so far; each turn is sent with everything before it."""

    def __init__(
        self, client: Client, model: str, system: str | None, write: Callable[[str], object]
    ) -> None:
        self._client = client
        self._model = model
        self._write = write
        self.messages = [{"role": "system", "content": system}] if system else []

    def say(self, text: str) -> None:
        """Write the answer to `text` as it comes. Raises `ChatError`.

        An answer that breaks off, or that ctrl-C stops, is kept as far as it came; without a word
        of it, the turn is forgotten.
        """
        self.messages.append({"role": "user", "content": text})
        pieces: list[str] = []
        try:
            with closing(self._client.ask(self._model, self.messages)) as answer:
                for piece in answer:
                    pieces.append(piece)
                    self._write(piece)
        finally:
            if pieces:
                self.messages.append({"role": "assistant", "content": "".join(pieces)})
                self._write("\n")
            else:
                self.messages.pop()


def converse(talk: Conversation) -> None:
    """Read turns from the terminal until ctrl-D; ctrl-C stops an answer."""
    with suppress(ImportError):
        # Arrow keys and history in `input`.
        import readline  # noqa: F401

    while True:
        try:
            text = input("> ")
        except EOFError:
            typer.echo()
            return
        except KeyboardInterrupt:
            typer.echo()
            continue
        if not text.strip():
            continue
        try:
            talk.say(text)
        except ChatError as error:
            typer.echo(str(error), err=True)
        except KeyboardInterrupt:
            typer.echo("(stopped)", err=True)


def print_piece(text: str) -> None:
    """Print part of an answer at once; a terminal gets no control characters."""
    typer.echo(text.translate(_CONTROLS) if sys.stdout.isatty() else text, nl=False)
    sys.stdout.flush()
