"""What each kind of parameter takes, from text and from JSON, and how it says no."""

import math
from typing import Any

import pytest

from gateway.dialects.fields import Boolean, Choice, Integer, Kind, Number, Text, shown
from gateway.schema.failure import CallError

HEAT = Number(0.0, 3.0)
SEED = Integer()
VOICE = Choice(("alloy", "echo"))


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (HEAT, "0", 0.0),
        (HEAT, "3", 3.0),
        (HEAT, " 0.7", 0.7),
        (HEAT, "+.5", 0.5),
        (HEAT, "1.", 1.0),
        (HEAT, "3e-1", 0.3),
        (SEED, "-1", -1),
        (SEED, "0007", 7),
        (SEED, "9223372036854775807", 2**63 - 1),
        (SEED, "-9223372036854775808", -(2**63)),
        (Integer(64, 2048), "768", 768),
        (Text(3), "", ""),
        (Text(3), "äöü", "äöü"),
        (Text(None, is_blank_ok=False), " a ", " a "),
        (VOICE, "echo", "echo"),
    ],
)
def test_text_in_range_is_read(kind: Kind, raw: str, value: object) -> None:
    read = kind.from_text("p", raw)

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("raw", ["true", "True", "TRUE", "1", "yes", "On", ""])
def test_every_word_for_true_is_true(raw: str) -> None:
    assert Boolean().from_text("json", raw) is True


@pytest.mark.parametrize("raw", ["false", "False", "0", "NO", "off"])
def test_every_word_for_false_is_false(raw: str) -> None:
    assert Boolean().from_text("json", raw) is False


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (HEAT, "3.0001"),
        (HEAT, "-0.0001"),
        (HEAT, "nan"),
        (HEAT, "inf"),
        (HEAT, "1e999"),
        (HEAT, "1_0"),
        (HEAT, "٣"),
        (HEAT, "0,7"),
        (HEAT, "0x1"),
        (HEAT, ""),
        (HEAT, "0" * 200),
        (SEED, "9223372036854775808"),
        (SEED, "-9223372036854775809"),
        (SEED, "1" * 5000),
        (SEED, "1.0"),
        (SEED, ""),
        (Integer(64, 2048), "63"),
        (Boolean(), "ja"),
        (Boolean(), " "),
        (Boolean(), "2"),
        (Text(3), "abcd"),
        (Text(3), "\0"),
        (Text(None, is_blank_ok=False), " \t\u3000"),
        (VOICE, "Echo"),
        (VOICE, ""),
    ],
)
def test_text_out_of_range_is_refused_by_name(kind: Kind, raw: str) -> None:
    with pytest.raises(CallError) as refused:
        kind.from_text("the_name", raw)

    assert refused.value.code == "invalid_parameter"
    assert refused.value.param == "the_name"
    assert refused.value.message.startswith("the_name must be ")


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (HEAT, 1, 1.0),
        (HEAT, 0.7, 0.7),
        (SEED, -1, -1),
        (Boolean(), False, False),
        (Text(3), "abc", "abc"),
        (VOICE, "alloy", "alloy"),
    ],
)
def test_json_of_the_right_type_is_read(kind: Kind, given: Any, value: object) -> None:
    read = kind.from_json("p", given)

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (HEAT, True),
        (HEAT, "0.7"),
        (HEAT, math.nan),
        (HEAT, math.inf),
        (HEAT, 10**400),
        (Number(-math.inf, math.inf), math.inf),
        (Number(-math.inf, math.inf), math.nan),
        (SEED, 1.0),
        (SEED, False),
        (SEED, 2**63),
        (SEED, "1"),
        pytest.param(SEED, 10**5000, id="5001 digits"),
        (Boolean(), 1),
        (Boolean(), "true"),
        (Boolean(), None),
        (Text(3), 3),
        (Text(3), ["a"]),
        (Text(3), {"a": "b"}),
        (VOICE, 1),
        (VOICE, "nobody"),
    ],
)
def test_json_of_another_type_or_out_of_range_is_refused(kind: Kind, given: Any) -> None:
    with pytest.raises(CallError) as refused:
        kind.from_json("p", given)

    assert refused.value.code == "invalid_parameter"
    assert refused.value.param == "p"


def test_a_refusal_names_parameter_value_and_range() -> None:
    with pytest.raises(CallError) as refused:
        HEAT.from_text("temperature", "3.5")

    assert refused.value.message == 'temperature must be a number from 0 to 3; got "3.5"'


def test_the_range_of_a_seed_is_written_out() -> None:
    with pytest.raises(CallError) as refused:
        SEED.from_json("seed", 2**64)

    assert refused.value.message == (
        "seed must be an integer from -9223372036854775808 to 9223372036854775807; "
        "got 18446744073709551616"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a" * 80, '"' + "a" * 80 + '"'),
        ("a" * 81, '"' + "a" * 80 + '…"'),
        ("a\r\nb\x7f\u202e", r'"a\r\nb\x7f\u202e"'),
        ("日本", '"日本"'),
        (True, "true"),
        (None, "null"),
        (0.5, "0.5"),
        pytest.param(10**5000, "a very long number", id="5001 digits"),
        ({"a": 1}, "an object"),
        ([1], "an array"),
    ],
)
def test_a_shown_value_is_short_and_prints(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (HEAT, {"type": "number", "minimum": 0.0, "maximum": 3.0}),
        (Integer(1, 2), {"type": "integer", "minimum": 1, "maximum": 2}),
        (Boolean(), {"type": "boolean"}),
        (Text(None), {"type": "string"}),
        (Text(9, is_blank_ok=False), {"type": "string", "maxLength": 9, "pattern": r"\S"}),
        (VOICE, {"type": "string", "enum": ["alloy", "echo"]}),
    ],
)
def test_a_kind_describes_itself(kind: Kind, schema: object) -> None:
    assert kind.describe() == schema
