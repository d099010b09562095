"""Every database that can keep state, for tests that hold each of them to the same."""

from pathlib import Path

import pytest

from gateway.config.database import Place, PostgresPlace

KINDS = ("sqlite", "postgresql")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a database may be made: no file yet, or a server's empty one."""
    if request.param == "sqlite":
        return tmp_path / "own" / "state.sqlite"
    return PostgresPlace(request.getfixturevalue("postgres_url"))
