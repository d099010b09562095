"""`check` and `serve`: what a configuration is told before anything starts."""

import pytest

from tests.cli.command_line import CommandLine
from tests.cli.kinds import CONFIG, ECHO, HEAVY
from tests.registry.distributions import install


@pytest.fixture(autouse=True)
def _kinds(dynagate: CommandLine) -> None:
    install(dynagate.site, "dynagate-fake", {"echo": ECHO, "heavy": HEAVY})


def test_a_good_configuration_is_counted(dynagate: CommandLine) -> None:
    dynagate.write(CONFIG)

    done = dynagate("check", environ={"UP_KEY": "sk-1"})

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "ok: 2 providers, 2 models (config.yaml)",
        "own lacks weights: first: `dynagate models pull --needed`",
    ]


def test_a_provider_without_its_key_is_said(dynagate: CommandLine) -> None:
    dynagate.write(CONFIG)

    done = dynagate("check")

    assert done.returncode == 0
    assert "up is not configured, its targets are skipped: api_key is empty" in done.stdout


def test_a_key_of_several_that_is_empty_is_said(dynagate: CommandLine) -> None:
    dynagate.write(
        'providers: {p: {kind: openai, settings: {host: openai}, keys: ["${A:-}", b, "${C:-}"]}}\n'
        "models: {m: {targets: [{provider: p, model: x}]}}\n"
    )

    done = dynagate("check")

    assert done.returncode == 0
    assert "p#1, p#3: empty, skipped" in done.stdout.splitlines()


def test_a_model_that_nothing_answers_is_said(dynagate: CommandLine) -> None:
    dynagate.write(CONFIG + "  alone: {targets: [{provider: up, model: x}]}\n")

    done = dynagate("check")

    assert done.returncode == 0
    assert "nothing answers model alone: up: api_key is empty" in done.stdout.splitlines()


@pytest.mark.parametrize("verb", ["check", "serve"])
@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (
            "kind: heavy",
            "kind: heavy, concurent: 1",
            ["3:22: providers.own.concurent: unknown key"],
        ),
        ("provider: own,", "provider: owm,", ["6:54: models.chat", "9:35: models.wild-*"]),
        ("kind: heavy", "kind: heavvy", ["3:15: providers.own.kind: no plugin brings"]),
        ("api_key:", "apikey:", ["2:31: providers.up.settings.apikey: unknown key"]),
        ("providers:", "egress: {allow: [x y]}\nproviders:", ["1:18: egress.allow.0: 'x y': "]),
    ],
)
def test_what_is_wrong_is_one_line_each_and_exit_code_2(
    verb: str, old: str, new: str, lines: list[str], dynagate: CommandLine
) -> None:
    dynagate.write(CONFIG.replace(old, new))

    done = dynagate(verb)

    said = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert len(said) == len(lines)
    assert all(
        text.startswith(f"config.yaml:{line}") for text, line in zip(said, lines, strict=True)
    )


def test_a_missing_file_is_said_with_the_command_that_writes_one(dynagate: CommandLine) -> None:
    done = dynagate("check", "--config", "none.yaml")

    assert done.returncode == 2
    assert done.stderr.startswith("none.yaml: there is no such file: `dynagate init`")


def test_the_environment_names_a_configuration_and_an_option_wins(dynagate: CommandLine) -> None:
    dynagate.write(CONFIG, "env.yaml")
    dynagate.write(CONFIG, "option.yaml")
    environ = {"DYNAGATE_CONFIG": "env.yaml"}

    assert "(env.yaml)" in dynagate("check", environ=environ).stdout
    assert "(option.yaml)" in dynagate("check", "-c", "option.yaml", environ=environ).stdout


def test_options_win_over_the_environment_and_that_over_the_file(dynagate: CommandLine) -> None:
    dynagate.write("server: {port: 70001}\n" + CONFIG)
    environ = {"DYNAGATE_PORT": "70002"}

    by_option = dynagate("serve", "--port", "70003", "--log-level", "debug", environ=environ)
    by_environment = dynagate("serve", environ=environ)
    by_file = dynagate("serve", environ={"DYNAGATE_PORT": ""})

    assert by_option.returncode == by_environment.returncode == by_file.returncode == 2
    assert by_option.stderr == by_environment.stderr
    assert by_environment.stderr.startswith("--port or DYNAGATE_PORT: server.port: ")
    assert by_file.stderr.startswith("config.yaml:1:16: server.port: ")


def test_an_open_host_needs_permission_on_the_command_line_too(dynagate: CommandLine) -> None:
    dynagate.write(CONFIG)

    done = dynagate("serve", "--host", "0.0.0.0")  # noqa: S104 - it is refused.

    assert done.returncode == 2
    assert done.stderr.startswith("--host or DYNAGATE_HOST: server.host: 0.0.0.0 can be reached")
