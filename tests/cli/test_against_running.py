"""`check --against-running`: what a gateway that runs would make of its file."""

from collections.abc import Iterator

import pytest

from tests.bench.processes import free_port
from tests.cli.command_line import CommandLine
from tests.supervisor.several import Several, running

SECRET = "canary-admin-secret-0123456789"  # noqa: S105 - a test's.
TEXT = """
server: {{port: {port}, watch: false}}
admin: {{listen: "127.0.0.1:{admin}", secret: "${{ADMIN_SECRET:-canary-admin-secret-0123456789}}"}}
deadlines: {{total_s: 30}}
providers: {{c: {{kind: chaos, settings: {{}}}}}}
models: {{m: {{targets: [{{provider: c, model: echo}}]}}}}
"""


@pytest.fixture
def gateway(dynagate: CommandLine) -> Iterator[Several]:
    with running(dynagate, TEXT) as several:
        yield several


def write(dynagate: CommandLine, gateway: Several, text: str) -> None:
    dynagate.write(text.format(port=0, admin=gateway.admin_url.rpartition(":")[2]))


def test_what_would_change_is_said_and_what_would_be_refused(
    dynagate: CommandLine, gateway: Several
) -> None:
    admin = gateway.admin_url.removeprefix("http://")
    same = dynagate("check", "--against-running")
    write(dynagate, gateway, TEXT.replace("30", "20").replace("echo", "words:3"))
    other = dynagate("check", "--against-running")
    write(dynagate, gateway, TEXT.replace("watch: false", "drain_s: 1"))
    refused = dynagate("check", "--against-running")
    wrong = dynagate("check", "--against-running", environ={"ADMIN_SECRET": "x" * 20})

    assert same.returncode == other.returncode == 0, same.stderr + other.stderr
    assert same.stdout.splitlines()[1:] == [
        f"against generation 1 at {admin}: nothing would change"
    ]
    assert other.stdout.splitlines()[1:] == [
        f"against generation 1 at {admin}: 2 would change",
        "changed deadlines.total_s: 30.0 -> 20.0",
        "changed models.m.targets.0.model: 'echo' -> 'words:3'",
    ]
    assert refused.returncode == 2
    assert refused.stderr.startswith("config.yaml:2:28: server.drain_s: this cannot change while")
    assert wrong.returncode == 1
    assert "says 401: this is not admin.secret" in wrong.stderr


def test_a_gateway_that_reads_another_file_is_named(
    dynagate: CommandLine, gateway: Several
) -> None:
    text = TEXT.format(port=0, admin=gateway.admin_url.rpartition(":")[2])
    dynagate.write(text, "other.yaml")

    done = dynagate("check", "--against-running", "--config", "other.yaml")

    assert done.returncode == 2
    assert done.stderr.endswith(f"config.yaml, and not {dynagate.folder}/other.yaml\n")


def test_a_gateway_that_does_not_run_is_said(dynagate: CommandLine) -> None:
    port = free_port()
    dynagate.write(TEXT.format(port=0, admin=1))

    done = dynagate("check", "--against-running", "--admin", f"127.0.0.1:{port}")

    assert done.returncode == 1
    assert f"no gateway answers at 127.0.0.1:{port} (Connection refused)" in done.stderr


def test_without_a_secret_nobody_can_be_asked(dynagate: CommandLine) -> None:
    dynagate.write(
        "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: e}]}}"
    )

    done = dynagate("check", "--against-running")

    assert done.returncode == 2
    assert "admin.secret" in done.stderr
