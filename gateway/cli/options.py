"""Options that several verbs take."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar="DYNAGATE_CONFIG",
        metavar="FILE",
        help="The configuration. Default: ./config.yaml, then "
        "$XDG_CONFIG_HOME/dynagate/config.yaml, then the one that is shipped.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="For machines: JSON on standard output.")]
