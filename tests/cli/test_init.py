"""`init`: the shipped configuration, to be edited."""

from gateway.config.places import shipped_config
from tests.cli.command_line import CommandLine


def test_the_shipped_file_is_written_and_the_next_step_said(dynagate: CommandLine) -> None:
    done = dynagate("init")

    assert done.returncode == 0
    assert (dynagate.folder / "config.yaml").read_bytes() == shipped_config().read_bytes()
    assert done.stdout.splitlines() == [
        "wrote config.yaml",
        "next: dynagate check, then dynagate serve",
    ]


def test_a_folder_gets_a_file_and_the_next_step_names_it(dynagate: CommandLine) -> None:
    (dynagate.folder / "etc").mkdir()

    done = dynagate("init", "etc")

    assert (dynagate.folder / "etc" / "config.yaml").is_file()
    assert "dynagate serve --config etc/config.yaml" in done.stdout


def test_a_file_that_is_there_is_kept_unless_forced(dynagate: CommandLine) -> None:
    path = dynagate.write("mine")

    refused = dynagate("init")
    kept = path.read_text()
    forced = dynagate("init", "--force")

    assert (refused.returncode, forced.returncode) == (1, 0)
    assert "--force" in refused.stderr
    assert kept == "mine"
    assert path.read_bytes() == shipped_config().read_bytes()


def test_a_file_that_cannot_be_written_is_said(dynagate: CommandLine) -> None:
    done = dynagate("init", "no/such/folder/config.yaml")

    assert done.returncode == 1
    assert (
        done.stderr == "no/such/folder/config.yaml cannot be written: No such file or directory\n"
    )
