"""The door for callers' JSON: what passes, what is refused, and that nothing else can happen."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.json_gate import parse_object
from gateway.schema.failure import CallError

PROPERTY = settings(deadline=None, database=None, derandomize=True, max_examples=300)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=30,
)


def refusal(body: bytes, **bounds: int) -> str:
    with pytest.raises(CallError) as refused:
        parse_object(body, **bounds)
    assert refused.value.code == "invalid_json"
    assert refused.value.status == 400
    return refused.value.message


@PROPERTY
@given(st.dictionaries(st.text(), VALUES, max_size=6), st.booleans())
def test_a_valid_document_is_what_the_standard_library_reads(
    document: dict[str, Any], is_ascii: bool
) -> None:
    body = json.dumps(document, ensure_ascii=is_ascii).encode()

    assert parse_object(body) == json.loads(body) == document


@PROPERTY
@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:0123456789eE.-\\ud8ntrf').map(str.encode))
def test_any_bytes_give_an_object_or_a_refusal(body: bytes) -> None:
    try:
        document = parse_object(body)
    except CallError as error:
        assert error.code == "invalid_json"  # noqa: PT017  # Either outcome is right.
    else:
        assert isinstance(document, dict)


@PROPERTY
@given(st.dictionaries(st.text(), VALUES, min_size=1, max_size=6), st.data())
def test_a_truncated_document_is_refused(document: dict[str, Any], data: st.DataObject) -> None:
    body = json.dumps(document).encode()
    cut = data.draw(st.integers(0, len(body) - 1))

    assert refusal(body[:cut])


@pytest.mark.parametrize("body", [b"", b" \r\n\t"])
def test_an_empty_body_is_told_that_an_object_is_expected(body: bytes) -> None:
    assert refusal(body) == "The body is empty; a JSON object is expected."


@pytest.mark.parametrize("body", [b"[]", b"1", b'"a"', b"null", b"true"])
def test_anything_but_an_object_is_refused(body: bytes) -> None:
    assert "not an object" in refusal(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":1,"model":2}',
        b'{"a":{"model":1,"model":1}}',
        b'{"a":[{"model":1,"mod\\u0065l":2}]}',
    ],
)
def test_a_repeated_key_is_named_at_any_level(body: bytes) -> None:
    assert 'repeats the key "model" at line 1' in refusal(body)


def test_a_long_repeated_key_is_cut() -> None:
    key = b"k" * 500

    message = refusal(b'{"%b":1,"%b":2}' % (key, key))

    assert "k" * 80 + "…" in message
    assert "k" * 81 not in message


def test_a_document_of_64_levels_passes() -> None:
    body = b'{"a":' + b"[" * 63 + b"]" * 63 + b"}"

    assert parse_object(body)["a"]


@pytest.mark.parametrize("levels", [65, 150, 250, 1_000_000])
def test_a_deeper_document_is_refused(levels: int) -> None:
    lists = levels - 1

    message = refusal(b'{"a":' + b"[" * lists + b"]" * lists + b"}")

    assert message == "The body nests deeper than 64 levels."


def test_objects_count_as_levels_too() -> None:
    assert "deeper than 3" in refusal(b'{"a":{"b":{"c":{}}}}', max_depth=3)
    assert parse_object(b'{"a":{"b":{}}}', max_depth=3)


HEAVY = {
    "keys": b"{" + b",".join(b'"%d":0' % number for number in range(100_001)) + b"}",
    "keys that end in backslashes": b'{"a":{'
    + b",".join(b'"%d\\\\" : 0' % number for number in range(100_001))
    + b"}}",
    "numbers": b'{"input":[' + b"0," * 500_000 + b"0]}",
    "lists": b'{"a":[' + b"[]," * 500_000 + b"0]}",
    "turns": b'{"messages":[' + b'{"role":"user","content":"hi, you"},' * 100_000 + b"{}]}",
    "texts": b'{"a":[' + b'"",' * 600_000 + b'""]}',
}


@pytest.mark.parametrize("what", HEAVY)
def test_more_small_values_than_can_be_read_at_once_are_refused(what: str) -> None:
    assert "more than 100,000 keys or 500,000 values" in refusal(HEAVY[what])


def test_what_would_be_too_many_values_is_not_when_it_is_text() -> None:
    text = '{"a": [0, 1], "b\\\\": ","} : [[{{' * 100_000

    document = parse_object(json.dumps({"text": text, "more": [text]}).encode())

    assert document == {"text": text, "more": [text]}


def test_as_many_tokens_as_a_request_for_vectors_may_have_pass() -> None:
    tokens = list(range(300_000))

    assert parse_object(json.dumps({"input": [tokens]}).encode()) == {"input": [tokens]}


def test_brackets_in_text_are_no_levels() -> None:
    text = "[{" * 500

    assert parse_object(json.dumps({"a": text}).encode()) == {"a": text}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "nan", "01", "1.", ".5", "+1"])
def test_what_is_no_json_number_is_refused(number: str) -> None:
    assert refusal(f'{{"a":[{number}]}}'.encode())


@pytest.mark.parametrize(
    "number",
    [
        "18446744073709551616",
        "-9223372036854775809",
        "1" * 400,
        "1" * 5000,
        "1e999",
        "-1e400",
        "1" * 400 + ".0",
    ],
)
def test_a_number_that_does_not_fit_is_refused(number: str) -> None:
    assert "does not fit into 64 bits" in refusal(f'{{"a":{{"b":[{number}]}}}}'.encode())


@pytest.mark.parametrize("number", ["18446744073709551615", "-9223372036854775808", "1e308"])
def test_the_last_numbers_that_fit_pass(number: str) -> None:
    assert parse_object(f'{{"a":{number}}}'.encode()) == {"a": json.loads(number)}


@pytest.mark.parametrize(
    "text",
    [
        rb'"\ud800"',
        rb'"\udc00"',
        rb'"\ud800\u0041"',
        rb'"\udc00\ud800"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b'"\x00"',
        b'"\n"',
        rb'"\x"',
    ],
)
def test_text_that_is_no_unicode_is_refused_as_value_and_as_key(text: bytes) -> None:
    assert refusal(b'{"a":' + text + b"}")
    assert refusal(b"{" + text + b":1}")


def test_an_escaped_pair_is_one_character() -> None:
    assert parse_object(rb'{"a":"\ud83d\ude00"}') == {"a": "😀"}


@pytest.mark.parametrize(
    "body",
    [b"{} x", b"{}{}", b'{"a":1,}', b"{'a':1}", b'{"a":1/**/}', b"\xef\xbb\xbf{}", b'{"a":1}\x00'],
)
def test_leniency_is_not_offered(body: bytes) -> None:
    assert refusal(body)


def test_a_refusal_gives_the_position_and_nothing_of_the_content() -> None:
    message = refusal(b'{\n "api_key": "hunter2" "x": 1}')

    assert message == "The body is not valid JSON: expected `,` or `}` at line 2 column 23."
