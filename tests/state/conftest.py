"""A place for databases."""

from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a database may be made; neither it nor its folder is there yet."""
    return tmp_path / "own" / "state.sqlite"
