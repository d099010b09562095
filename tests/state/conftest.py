"""Places for databases, and a server to be broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import PASSWORD, PostgresServer, a_database, a_server, statement
from tests.state.faults import USER, Faulty


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spools of databases that are no files would else be where the tests are started."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a database may be made; neither it nor its folder is there yet."""
    return tmp_path / "own" / "state.sqlite"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One server for these tests, none of which leaves it broken."""
    with a_server() as running:
        statement(running.url(), f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        yield running


@pytest.fixture
def faulty(server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[Faulty]:
    """A new database that belongs to a user without privileges."""
    name = f"faulty_{abs(hash(request.node.name))}"
    with a_database(server.url(), name) as admin_url:
        statement(server.url(), f"ALTER DATABASE {name} OWNER TO {USER}")
        yield Faulty(server, admin_url, admin_url.replace("//postgres:", f"//{USER}:"))
