"""What is wrong with one section of a model, as the operator reads it."""

from pathlib import Path

import pytest

from gateway.config.load import load
from gateway.config.problems import ConfigError


def with_section(name: str, section: str) -> str:
    """Return a configuration whose model has the section of that name, six spaces deep."""
    return f"""\
providers: {{p: {{kind: chaos}}}}
models:
  m:
    targets: [{{provider: p, model: echo}}]
    {name}:
{section}"""


def complaints(name: str, section: str, folder: Path) -> list[str]:
    """Return what is wrong with the section of that name, without the file's name."""
    path = folder / "c.yaml"
    path.write_text(with_section(name, section))
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]
