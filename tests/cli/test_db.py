"""`dynagate db`, and what a start says of a database that it cannot use."""

import sqlite3

import pytest

from tests.cli.command_line import CommandLine

CONFIG = """
server: {port: 0}
admin: {listen: null}
state: {url: "sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite"}
providers: {c: {kind: chaos}}
models: {m: {targets: [{provider: c, model: echo}]}}
"""


@pytest.fixture
def configured(dynagate: CommandLine) -> CommandLine:
    """A command line whose configuration has a database in its home."""
    dynagate.write(CONFIG)
    return dynagate


def test_upgrade_makes_the_database_once(configured: CommandLine) -> None:
    first, second = configured("db", "upgrade"), configured("db", "upgrade")

    file = configured.folder / ".local/state/dynagate/state.sqlite"
    assert first.stdout == f"{file} has been made\n", first.stderr
    assert second.stdout == f"{file} is up to date\n", second.stderr
    assert file.stat().st_mode & 0o777 == 0o600


def test_without_a_database_upgrade_says_how_to_have_one(dynagate: CommandLine) -> None:
    dynagate.write(CONFIG.replace("sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite", "memory://"))

    done = dynagate("db", "upgrade")

    assert done.returncode == 2
    assert "state.url is memory://" in done.stderr


@pytest.mark.parametrize("verb", [("serve",), ("db", "upgrade")])
@pytest.mark.parametrize("state", ["damaged", "newer"])
def test_a_database_that_cannot_be_used_ends_with_2_and_no_traceback(
    configured: CommandLine, verb: tuple[str, ...], state: str
) -> None:
    configured("db", "upgrade")
    file = configured.folder / ".local/state/dynagate/state.sqlite"
    if state == "damaged":
        file.write_bytes(b"x" * 5000)
    else:
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.close()

    done = configured(*verb)

    assert done.returncode == 2
    assert str(file) in done.stderr
    assert "state.url" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///", "sqlite:///a/"])
def test_a_url_that_is_no_place_is_told_with_its_line(dynagate: CommandLine, url: str) -> None:
    dynagate.write(CONFIG.replace("sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite", url))

    done = dynagate("check")

    assert done.returncode == 2
    assert "config.yaml:4:14: state.url: " in done.stderr
    assert "sqlite:///path" in done.stderr
