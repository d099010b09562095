"""The table of verbs: help, exit codes, and how little it costs to load."""

import subprocess
import sys

import pytest

from tests.cli.command_line import ROOT, CommandLine

VERBS = ("serve", "check", "init", "models", "plugins", "chat", "version")


def test_loading_the_command_line_imports_no_server_module() -> None:
    heavy = "aiohttp pydantic uvloop prometheus_client ruamel pluggy asyncio orjson jiter rich ssl"
    program = f"import sys, gateway.cli; print(*(set(sys.modules) & set({heavy.split()})))"

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == []


def test_help_names_every_verb(dynagate: CommandLine) -> None:
    done = dynagate("--help")

    assert done.returncode == 0
    assert all(f" {verb} " in done.stdout for verb in VERBS)
    assert "--install-completion" in done.stdout


def test_python_m_gateway_is_the_same_command(dynagate: CommandLine) -> None:
    dynagate.write("")

    done = subprocess.run(
        [sys.executable, "-m", "gateway", "version"],
        cwd=dynagate.folder,
        env=dynagate.variables(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("dynagate ")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nope"],
        ["serve", "--nope"],
        ["serve", "--port", "high"],
        ["models"],
        ["models", "show"],
    ],
)
def test_a_wrong_command_line_exits_with_2(arguments: list[str], dynagate: CommandLine) -> None:
    assert dynagate(*arguments).returncode == 2


def test_completion_is_installed_for_the_shell(dynagate: CommandLine) -> None:
    # Which shell runs the tests is not what is tested: make has sh, which completes nothing.
    asked = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}

    done = dynagate("--install-completion", "bash", environ=asked)

    assert done.returncode == 0
    assert (dynagate.folder / ".bash_completions" / "dynagate.sh").is_file()


def test_the_shell_completes_verbs(dynagate: CommandLine) -> None:
    done = dynagate(
        environ={
            "_DYNAGATE_COMPLETE": "complete_bash",
            "COMP_WORDS": "dynagate mo",
            "COMP_CWORD": "1",
        }
    )

    assert done.stdout.split() == ["models"]


def test_no_color_is_respected(dynagate: CommandLine) -> None:
    plain = dynagate("--help", environ={"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"})

    assert "\x1b[3" not in plain.stdout


def test_version_says_one_line_or_json(dynagate: CommandLine) -> None:
    assert dynagate("version").stdout == dynagate("--version").stdout
    assert '"dynagate": ' in dynagate("version", "--json").stdout
