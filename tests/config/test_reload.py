"""What differs between two files, and what of it a running gateway can take."""

from pathlib import Path

import pytest

from gateway.config.document import Document
from gateway.config.load import load
from gateway.config.problems import ConfigError, Loc, dotted
from gateway.config.reload import FIXED, LIVE, changes, is_fixed, read_next, summary
from tests.docs.settings import keys

REST = "providers: {c: {kind: chaos}}\nmodels: {m: {targets: [{provider: c, model: echo}]}}\n"


def document(**sections: object) -> Document:
    named: dict[str, object] = {
        "providers": {"c": {"kind": "chaos"}},
        "models": {"m": {"targets": [{"provider": "c", "model": "echo"}]}},
        **sections,
    }
    return Document.model_validate(named)


def lines(before: Document, after: Document) -> list[str]:
    return [str(change) for change in changes(before, after)]


def test_every_key_either_changes_while_the_gateway_runs_or_needs_a_restart() -> None:
    said = {dotted(loc) for loc in (*FIXED, *LIVE)}
    every = {key.name for key in keys(Document)}

    def owners(name: str) -> list[str]:
        return [one for one in said if name == one or name.startswith(f"{one}.")]

    # A new section is named in one of the two tables of gateway/config/reload.py.
    assert {name: owners(name) for name in every if len(owners(name)) != 1} == {}
    assert {one for one in said if not any(one in owners(name) for name in every)} == set()


@pytest.mark.parametrize(
    ("loc", "is_so"),
    [
        (("server", "bounds", "headers"), True),
        (("state", "url"), True),
        (("server", "cors", "origins"), False),
        (("models", "server", "strategy"), False),
    ],
)
def test_a_key_needs_a_restart_by_itself_or_by_its_section(loc: Loc, *, is_so: bool) -> None:
    assert is_fixed(loc) is is_so


def test_what_is_the_same_does_not_differ() -> None:
    assert lines(document(), document()) == []


def test_values_are_shown_and_lists_of_the_same_length_are_compared_item_by_item() -> None:
    two: list[dict[str, object]]
    two = [{"provider": "c", "model": "echo"}, {"provider": "c", "model": "x", "weight": 2}]
    before = document(models={"m": {"targets": two}, "old": {"targets": two}})
    two = [two[0], {**two[1], "weight": 3}]
    after = document(models={"m": {"targets": two, "strategy": "weighted"}, "n": {"targets": two}})

    assert lines(before, after) == [
        "changed models.m.targets.1.weight: 2.0 -> 3.0",
        "changed models.m.strategy: 'ordered' -> 'weighted'",
        "removed models.old",
        "added models.n",
    ]


def test_a_list_of_another_length_is_one_change() -> None:
    after = document(models={"m": {"targets": [{"provider": "c", "model": "echo"}] * 2}})

    assert lines(document(), after) == ["changed models.m.targets"]


@pytest.mark.parametrize(
    "sections",
    [
        {"admin": {"secret": "secret-0123456789abcdef"}},
        {"state": {"url": "postgresql://user:secret-0123@host/db"}},
        {"state": {"valkey": "redis://:secret-0123@host"}},
        {"providers": {"c": {"kind": "chaos", "settings": {"api_key": "secret-0123"}}}},
        {"providers": {"c": {"kind": "chaos", "http": {"proxy": "http://u:secret-0123@host"}}}},
    ],
)
def test_nothing_that_may_be_secret_is_shown(sections: dict[str, object]) -> None:
    (line,) = lines(document(), document(**sections))

    assert line.startswith(("changed ", "added "))
    assert "secret-" not in line


def test_a_summary_names_the_first_and_counts_the_rest() -> None:
    after = document(plans={f"p{number}": {} for number in range(30)})

    line = summary(changes(document(), after), most=2)

    assert line == "added plans.p0; added plans.p1 and 28 more"


def test_a_key_that_needs_a_restart_is_refused_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(REST)
    loaded = load(file, {})
    file.write_text(REST + "server:\n  port: 9999\n  cors: {origins: ['https://a.example']}\n")

    with pytest.raises(ConfigError) as raised:
        read_next(loaded, {})

    (problem,) = raised.value.problems
    assert (problem.place, problem.path) == (f"{file}:4:9", "server.port")


def test_the_environment_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(REST + "logs: {level: '${LEVEL}'}\n")

    after, found = read_next(load(file, {"LEVEL": "info"}), {"LEVEL": "debug"})

    assert after.document.logs.level == "debug"
    assert [str(one) for one in found] == ["changed logs.level: 'info' -> 'debug'"]
