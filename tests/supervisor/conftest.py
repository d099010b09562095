"""A command line for each test."""

from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine


@pytest.fixture
def dynagate(tmp_path: Path) -> CommandLine:
    """A command line in an empty folder; nothing is installed for it but what is bundled."""
    folder, site = tmp_path / "here", tmp_path / "site"
    folder.mkdir()
    site.mkdir()
    return CommandLine(folder, site)
