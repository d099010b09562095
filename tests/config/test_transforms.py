"""Transforms are checked when the file is read, and each mistake has its place."""

from pathlib import Path

import pytest

from gateway.config import transforms
from gateway.config.load import load
from gateway.dialects import fields, openai_chat
from tests.config.complaints import complaints, with_section


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("set: {temperature: 3}", "6:26: models.m.transforms.set.temperature: should be a number"),
        ("set: {temperature: .nan}", "6:26: models.m.transforms.set.temperature: should be a numb"),
        ("set: {temperature: true}", "6:26: models.m.transforms.set.temperature: should be a numb"),
        ("default: {n: 0}", "6:20: models.m.transforms.default.n: should be a whole number from 1"),
        ("default: {seed: 1.5}", "6:23: models.m.transforms.default.seed: should be a whole"),
        ("set: {logprobs: 1}", "6:23: models.m.transforms.set.logprobs: should be true or false"),
        ("set: {user: 5}", "6:19: models.m.transforms.set.user: should be a text of 512"),
        ("set: {stop: [1]}", "6:19: models.m.transforms.set.stop: should be a text, or a list"),
        ("set: {top_k: null}", "6:13: models.m.transforms.set.top_k: should be a value; what is"),
        ("set: {top_k: .inf}", "6:20: models.m.transforms.set.top_k: should be what JSON can say"),
        ("set: {messages: []}", "6:13: models.m.transforms.set.messages: messages is no parameter"),
        ("remove: [api_key]", "6:16: models.m.transforms.remove.0: api_key is no parameter"),
        ("remove: ['a b']", "6:16: models.m.transforms.remove.0: a parameter's name has letters"),
        ("rename: {stream: a}", "6:16: models.m.transforms.rename.stream: stream is no parameter"),
        ("rename: {a: model}", "6:19: models.m.transforms.rename.a: model is no parameter"),
        ("rename: {a: b, b: c}", "6:19: models.m.transforms.rename.a: b is renamed itself"),
        ("rename: {a: c, b: c}", "6:25: models.m.transforms.rename.b: a becomes c already"),
        ("{set: {n: 1}, remove: [n]}", "6:30: models.m.transforms.remove.0: n is set"),
        ("{set: {n: 1}, default: {n: 2}}", "6:31: models.m.transforms.default.n: n is set in any"),
        (
            "system_prefix: ''",
            "6:22: models.m.transforms.system_prefix: String should have at least 1",
        ),
        ("sets: {}", "6:7: models.m.transforms.sets: unknown key; did you mean set?"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_place(
    section: str, complaint: str, tmp_path: Path
) -> None:
    (line,) = complaints("transforms", f"      {section}\n", tmp_path)

    assert line.startswith(complaint), line


def test_a_value_may_come_from_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(with_section("transforms", '      set: {temperature: "${HEAT}"}\n'))

    rules = load(path, {"HEAT": "0.5"}).document.models["m"].transforms

    assert rules is not None
    assert rules.set == {"temperature": 0.5}


def test_ranges_are_those_that_callers_are_held_to() -> None:
    known = openai_chat.FIELDS

    for name, kind in known.items():
        match kind:
            case fields.Number():
                assert transforms.NUMBERS[name] == (kind.low, kind.high)
            case fields.Integer():
                assert transforms.INTEGERS[name] == (kind.low, kind.high)
            case fields.Boolean():
                assert name in transforms.BOOLEANS | transforms.FIXED
            case fields.Text():
                assert name in transforms.FIXED or transforms.TEXTS[name] == kind.max_chars
            case fields.Choice():
                pytest.fail(f"{name} is a choice: say so in gateway.config.transforms")
    own = {*transforms.NUMBERS, *transforms.INTEGERS, *transforms.BOOLEANS, *transforms.TEXTS}
    assert own <= known.keys()
    assert set(openai_chat.STEERING) <= transforms.FIXED
