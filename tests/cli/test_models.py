"""`models list`, `models show`, `models pull`."""

import json

import pytest

from tests.cli.command_line import CommandLine
from tests.cli.kinds import CONFIG, ECHO, HEAVY
from tests.registry.distributions import install


@pytest.fixture(autouse=True)
def _configured(dynagate: CommandLine) -> None:
    install(dynagate.site, "dynagate-fake", {"echo": ECHO, "heavy": HEAVY})
    dynagate.write(CONFIG)


def test_the_list_says_who_answers_and_why_not(dynagate: CommandLine) -> None:
    done = dynagate("models", "list")

    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "MODEL   ALIASES  TARGET     ANSWERS",
        "chat    gpt      up/big     no: api_key is empty",
        "                 own/small  no: weights not here: first (`dynagate models pull --needed`)",
        "wild-*           own/*      no: weights not here: first (`dynagate models pull --needed`)",
    ]


def test_the_list_is_json_for_machines(dynagate: CommandLine) -> None:
    done = dynagate("models", "list", "--json", environ={"UP_KEY": "sk-1"})

    chat, wild = json.loads(done.stdout)
    assert (chat["name"], chat["aliases"], chat["answers"]) == ("chat", ["gpt"], True)
    assert chat["targets"][0] == {
        "provider": "up",
        "model": "big",
        "answers": True,
        "reason": None,
    }
    assert (wild["name"], wild["answers"]) == ("wild-*", False)


def test_the_weights_are_listed_once_for_each_kind(dynagate: CommandLine) -> None:
    dynagate.write(CONFIG.replace("models:", "  twin: {kind: heavy}\nmodels:"))

    done = dynagate("models", "list", "--weights")

    assert done.stdout.splitlines()[:2] == [
        "KIND   ID               SIZE    MEMORY  LICENCE  HERE  DESCRIPTION",
        "heavy  first (default)  1.5 GB  2.0 GB  MIT      no    about first",
    ]
    assert len(done.stdout.splitlines()) == 4


def test_the_weights_are_json_for_machines(dynagate: CommandLine) -> None:
    done = dynagate("models", "list", "--weights", "--json")

    assert json.loads(done.stdout)[0]["size_bytes"] == 1_500_000_000


@pytest.mark.parametrize(
    ("name", "found"), [("chat", "chat"), ("gpt", "chat"), ("wild-7", "wild-*")]
)
def test_a_model_is_shown_by_each_of_its_names(
    name: str, found: str, dynagate: CommandLine
) -> None:
    done = dynagate("models", "show", name, "--json")

    assert json.loads(done.stdout)["name"] == found


def test_a_shown_model_has_its_targets_with_their_cards(dynagate: CommandLine) -> None:
    dynagate.write(CONFIG.replace("model: big", "model: big, card: {context: 4096}"))

    done = dynagate("models", "show", "chat")

    assert done.stdout.splitlines() == [
        "chat: talks",
        "aliases: gpt",
        "target up/big: no: api_key is empty",
        "  context: 4096",
        "target own/small: no: weights not here: first (`dynagate models pull --needed`)",
    ]


def test_an_unknown_model_is_told_with_the_nearest(dynagate: CommandLine) -> None:
    done = dynagate("models", "show", "chatt")

    assert (done.returncode, done.stderr) == (1, "no model is called chatt; there is chat\n")


def test_what_is_needed_is_pulled_once(dynagate: CommandLine) -> None:
    environ = {"DYNAGATE_CACHE_DIR": str(dynagate.folder / "cache")}
    path = dynagate.folder / "cache" / "fake" / "first"

    first = dynagate("models", "pull", "--needed", environ=environ)
    second = dynagate("models", "pull", "--needed", environ=environ)
    listed = dynagate("models", "list", "--json", environ=environ)

    assert (first.returncode, second.returncode) == (0, 0)
    assert path.read_text() == "data"
    assert first.stdout.splitlines() == [f"first: {path} (1.5 GB, MIT)", "first: a notice"]
    assert first.stderr.splitlines()[-1].startswith("first from the publisher: 4 B of 4 B (100 %)")
    assert second.stdout == "all weights that are needed are here\n"
    assert json.loads(listed.stdout)[1]["answers"]


def test_weights_are_pulled_by_their_id(dynagate: CommandLine) -> None:
    done = dynagate("models", "pull", "second")

    assert done.returncode == 0
    assert (dynagate.folder / ".cache" / "dynagate" / "fake" / "second").is_file()


def test_other_weights_that_are_here_may_stand_in(dynagate: CommandLine) -> None:
    dynagate("models", "pull", "second")

    done = dynagate("models", "list")

    assert "own/small  yes" in done.stdout


def test_a_pull_that_fails_says_why_and_exits_with_1(dynagate: CommandLine) -> None:
    done = dynagate("models", "pull", "gone")

    assert done.returncode == 1
    assert done.stderr == "gone: the publisher does not answer: try again later\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--needed"),
        (["first", "--needed"], "--needed"),
        (
            ["fisrt"],
            "no configured provider has weights called fisrt; there is first, second, gone",
        ),
    ],
)
def test_a_pull_of_nothing_known_exits_with_2(
    arguments: list[str], said: str, dynagate: CommandLine
) -> None:
    done = dynagate("models", "pull", *arguments)

    assert done.returncode == 2
    assert said in done.stderr
