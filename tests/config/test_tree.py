"""YAML: what values mean, where they stand, and what is refused."""

import pytest

from gateway.config.problems import ConfigError
from gateway.config.tree import MAX_DEPTH, Node, find, parse


def _plain(node: Node) -> object:
    match node.content:
        case dict() as entries:
            return {key: _plain(entry.node) for key, entry in entries.items()}
        case list() as items:
            return [_plain(item) for item in items]
        case scalar:
            return scalar


def _refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, "c.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("true", True),
        ("012", 12),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("0x1F", 31),
        ("0o17", 15),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("~", None),
        ("", None),
        ('"1"', "1"),
        ("'null'", "null"),
        ("1_000", "1_000"),
        ("100/hour", "100/hour"),
    ],
)
def test_an_unquoted_word_means_what_yaml_1_2_says(written: str, meant: object) -> None:
    root = parse(f"a: {written}\n", "c.yaml")

    value = _plain(root)

    assert value == {"a": meant}
    assert type(value["a"]) is type(meant)


def test_keys_keep_the_spelling_of_the_file() -> None:
    root = parse("1.10: a\nno: b\n8080: c\n", "c.yaml")

    assert _plain(root) == {"1.10": "a", "no": "b", "8080": "c"}


def test_every_key_and_value_knows_its_line_and_column() -> None:
    root = parse("a:\n  - b: 1\n    cd:   'x'\n", "c.yaml")

    steps, node, key = find(root, ("a", 0, "cd"))

    assert (steps, (node.line, node.column), key) == (3, (3, 11), (3, 5))


def test_a_way_that_ends_early_leads_to_the_nearest_key() -> None:
    root = parse("a:\n  b: {c: 1}\n", "c.yaml")

    steps, _, key = find(root, ("a", "b", "missing", 3))

    assert (steps, key) == (2, (2, 3))


def test_an_alias_is_the_value_that_it_names() -> None:
    root = parse("a: &x {y: 1}\nb: *x\n", "c.yaml")

    assert _plain(root) == {"a": {"y": 1}, "b": {"y": 1}}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~\n"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    assert _plain(parse(text, "c.yaml")) == {}


def test_all_repeated_keys_are_told_at_once() -> None:
    said = _refusal("a: 1\nb: 2\na: 3\nc: {d: 1, d: 2}\n")

    assert said.splitlines() == [
        "c.yaml:3:1: a: this key is written twice, first in line 1: remove one",
        "c.yaml:4:11: c.d: this key is written twice, first in line 4: remove one",
    ]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: !!python/object/apply:os.system [ls]\n", "1:4", "tags"),
        ("a: !secret x\n", "1:4", "tags"),
        ("a:\n\tb: 1\n", "2:1", "not YAML"),
        ("a: [1\n", "2:1", "not YAML"),
        ("a: b: c\n", "1:5", "not YAML"),
        ("a: 1\n---\nb: 1\n", "2:1", "a second document"),
        ("a: *nobody\n", "1:4", "&nobody"),
        ("a: &x [*x]\n", "1:8", "&x"),
        ("<<: {a: 1}\n", "1:1", "merge keys"),
        ("? [a]\n: b\n", "1:3", "a key must be a plain word"),
        ("a: x\x07y\n", "1:5", "U+0007"),
        (f"a: {'9' * 5000}\n", "1:4", "too many digits"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_where_it_stands(
    text: str, place: str, words: str
) -> None:
    said = _refusal(text)

    assert said.startswith(f"c.yaml:{place}: ")
    assert words in said


def test_a_billion_laughs_are_refused() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    said = _refusal("\n".join(lines))

    assert "more than 50,000 values" in said


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_a_deep_nest_is_refused_before_it_is_built(opening: str) -> None:
    said = _refusal(opening * 100_000)

    assert f"nested deeper than {MAX_DEPTH}" in said
