"""The command line with a PostgreSQL database: what the operator's guide says, and errors."""

import json
import shlex
import subprocess
from typing import Any

import pytest

from tests.cli.command_line import CommandLine
from tests.postgres import PASSWORD, statement

CONFIG = """
server: {{port: 0}}
admin: {{listen: null}}
state: {{url: "{url}"}}
providers: {{c: {{kind: chaos}}}}
models: {{m: {{targets: [{{provider: c, model: echo}}]}}}}
"""


@pytest.fixture
def configured(dynagate: CommandLine, postgres_url: str) -> CommandLine:
    """A command line whose configuration has an empty database."""
    dynagate.write(CONFIG.format(url=postgres_url))
    return dynagate


def told(done: subprocess.CompletedProcess[str]) -> Any:  # Any: JSON.
    """Return the JSON that a command printed."""
    assert done.returncode == 0, done.stderr
    return json.JSONDecoder().decode(done.stdout)


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 2, all `words`, no traceback and no password."""
    assert done.returncode == 2, done.stdout
    assert [word for word in words if word not in done.stderr] == [], done.stderr
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr + done.stdout


def test_upgrade_makes_the_tables_once_and_says_where(configured: CommandLine) -> None:
    first, second = configured("db", "upgrade"), configured("db", "upgrade")

    assert first.stdout.endswith(" has been made\n"), first.stderr
    assert second.stdout.endswith(" is up to date\n"), second.stderr
    assert PASSWORD not in first.stdout + second.stdout


def test_a_start_without_tables_says_the_command_that_makes_them(configured: CommandLine) -> None:
    refused = configured("serve")

    assert_refused(refused, "config.yaml:4:14: state.url: ", "has no tables yet")
    command = shlex.split(refused.stderr.rpartition(": run ")[2])
    assert command[0] == "dynagate"
    assert configured(*command[1:]).stdout.endswith(" has been made\n")


@pytest.mark.slow
def test_keys_are_kept_there(configured: CommandLine) -> None:
    assert_refused(configured("keys", "list"), "run dynagate db upgrade")
    configured("db", "upgrade")

    made = told(configured("keys", "create", "alice", "--json"))
    rotated = told(configured("keys", "rotate", made["id"], "--json"))
    revoked = configured("keys", "revoke", made["id"])

    assert rotated["key"] != made["key"]
    assert revoked.stdout == f"{made['id']} (alice) is revoked\n"
    assert told(configured("keys", "list", "--json")) == []
    (listed,) = told(configured("keys", "list", "--all", "--json"))
    assert listed["state"] == "revoked"


@pytest.mark.slow
def test_a_newer_database_is_refused_by_every_verb(
    configured: CommandLine, postgres_url: str
) -> None:
    configured("db", "upgrade")
    changed = "UPDATE alembic_version SET version_num = '9999' RETURNING 1"
    statement(postgres_url, changed)

    for verb in (("serve",), ("db", "upgrade"), ("keys", "list")):
        assert_refused(configured(*verb), "newer dynagate", "state.url")


def test_without_its_driver_a_start_says_what_to_install(configured: CommandLine) -> None:
    (configured.site / "asyncpg.py").write_text("raise ImportError")

    for verb in (("serve",), ("db", "upgrade"), ("keys", "list")):
        assert_refused(configured(*verb), "pip install 'dynagate[postgres]'")


def test_a_check_says_nothing_of_the_password(configured: CommandLine) -> None:
    done = configured("check")

    assert done.returncode == 0
    assert PASSWORD not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:{}@host", "names no database"),
        ("postgresql://u:{}@host:port/db", "write postgresql://"),
        ("postgresql://u:{}@x@host/db", "%40"),
        ("postgresql://u:{}/x@host/db", "%2F"),
        ("postgresql://u:{}@host/db?sslmod=require", "a parameter is not known"),
        ("postgresql://u:{}@host/db?port=abc", "port should be a number"),
        ("postgresql://u:{}@host/db#x", "write postgresql://"),
        ("postgres://u:{}@host/db", "postgresql://user"),
    ],
)
def test_a_url_that_cannot_be_meant_is_told_without_its_password(
    dynagate: CommandLine, url: str, said: str
) -> None:
    dynagate.write(CONFIG.format(url=url.format(PASSWORD)))

    assert_refused(dynagate("check"), "config.yaml:4:14: state.url: ", said)
