"""Section 5: a restart does not give a new hour, however the process ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.cli.command_line import CommandLine

CONFIG = """
server: {port: 0}
admin: {listen: null}
limits: {anonymous: {requests: 5/hour}}
state: {url: "URL"}
providers: {c: {kind: chaos}}
models: {openai: {targets: [{provider: c, model: echo}]}}
"""


@contextmanager
def served(command_line: CommandLine, *, end: signal.Signals) -> Iterator[str]:
    """Run the gateway as a process that ends by `end`; yield its URL."""
    process = subprocess.Popen(
        command_line.command("serve"),
        cwd=command_line.folder,
        env=command_line.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        os.kill(process.pid, end)
        process.wait(20)
        process.stdout.close()


def left(url: str) -> int:
    """Call, and return how many calls the caller has left."""
    with urlopen(f"{url}/text/hi") as answer:  # noqa: S310 - loopback.
        return int(answer.headers["X-RateLimit-Remaining"])


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def command_line(tmp_path: Path, request: pytest.FixtureRequest) -> CommandLine:
    """A configured command line, with tables."""
    command_line = CommandLine(tmp_path, tmp_path)
    is_file = request.param == "sqlite"
    url = "sqlite:///state.sqlite" if is_file else request.getfixturevalue("postgres_url")
    command_line.write(CONFIG.replace("URL", url))
    made = command_line("db", "upgrade")
    assert made.returncode == 0, made.stderr
    return command_line


@pytest.mark.parametrize(
    "end", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGKILL]
)
def test_windows_outlive_the_process(command_line: CommandLine, end: signal.Signals) -> None:
    with served(command_line, end=end) as url:
        before = [left(url) for _ in range(2)]
        if end == signal.SIGKILL:
            time.sleep(1.3)  # What is older than a second is kept.

    with served(command_line, end=end) as url:
        after = left(url)

    assert (before, after) == ([4, 3], 2)


def test_a_second_gateway_is_refused_while_one_runs(command_line: CommandLine) -> None:
    with served(command_line, end=signal.SIGKILL) as url:
        refused = command_line("serve")
        listed = command_line("keys", "list")
        after = left(url)

    assert refused.returncode == 2
    assert "config.yaml:5:14: state.url: " in refused.stderr
    assert "is in use by another gateway" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert listed.returncode == 0, listed.stderr
    assert after == 4


def test_a_start_with_a_database_of_today_imports_no_alembic(tmp_path: Path) -> None:
    command_line = CommandLine(tmp_path, tmp_path)
    program = (
        "import asyncio, sys; from pathlib import Path;"
        "from gateway.state.sql.database import open_database;"
        "database, _ = asyncio.run(open_database(Path('state.sqlite')));"
        "asyncio.run(database.aclose()); print('alembic' in sys.modules)"
    )

    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=command_line.folder,
            env=command_line.variables(),
            capture_output=True,
            text=True,
            check=True,
        )

        assert done.stdout == "False\n"
