"""`dynagate init`."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.report import end
from gateway.config.places import NAME, shipped_config


def init(
    path: Annotated[Path, typer.Argument(help="The file to write, or its folder.")] = Path(NAME),
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write the shipped configuration, to be edited."""
    target = path / NAME if path.is_dir() else path
    try:
        text = shipped_config().read_bytes()
        with target.open("wb" if force else "xb") as file:
            file.write(text)
    except FileExistsError:
        end(f"{target} is there already: --force overwrites it")
    except OSError as error:
        end(f"{target} cannot be written: {error.strerror or type(error).__name__}")
    typer.echo(f"wrote {target}")
    option = "" if target == Path(NAME) else f" --config {target}"
    typer.echo(f"next: dynagate check{option}, then dynagate serve{option}")
