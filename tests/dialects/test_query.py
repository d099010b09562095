"""Query strings, forms and path prompts: what they say, and what is refused."""

from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.query import decode_path, parse_form, parse_query
from gateway.schema.failure import CallError

PROPERTY = settings(deadline=None, database=None, derandomize=True, max_examples=300)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@PROPERTY
@given(st.dictionaries(WORDS, WORDS, max_size=8))
def test_what_urlencode_writes_is_read_back(given_: dict[str, str]) -> None:
    raw = urlencode(given_)

    assert parse_query(raw) == given_
    assert parse_form(raw.encode()) == given_


@PROPERTY
@given(WORDS)
def test_what_quote_writes_in_a_path_is_read_back(prompt: str) -> None:
    assert decode_path(quote(prompt)) == prompt
    assert decode_path(quote(prompt, safe="")) == prompt


@PROPERTY
@given(st.text(st.characters(), max_size=40))
def test_any_text_is_read_or_refused(raw: str) -> None:
    for read in (parse_query, decode_path):
        try:
            read(raw)
        except CallError as error:
            assert error.code == "invalid_parameter"  # noqa: PT017  # Either outcome is right.


@pytest.mark.parametrize(
    ("raw", "given_"),
    [
        ("", {}),
        ("&&", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&b=2&a=3", {"a": "3", "b": "2"}),
        ("json", {"json": ""}),
        ("a=1&json&b=", {"a": "1", "json": "", "b": ""}),
        ("a=b=c", {"a": "b=c"}),
        ("a=1;b=2", {"a": "1;b=2"}),
        ("a=x+y%2Bz", {"a": "x y+z"}),
        ("a=100%&b=%zz&c=%4", {"a": "100%", "b": "%zz", "c": "%4"}),
        ("a=%2541", {"a": "%41"}),
        ("user%5Finput=x", {"user_input": "x"}),
        ("a=%F0%9F%98%80%e2%82%ac", {"a": "😀€"}),
    ],
)
def test_a_query_string_is_read(raw: str, given_: dict[str, str]) -> None:
    assert parse_query(raw) == given_


def test_undecoded_bytes_of_a_request_line_are_utf_8() -> None:
    raw = "user_input=für".encode().decode("ascii", "surrogateescape")

    assert parse_query(raw) == {"user_input": "für"}


@pytest.mark.parametrize(
    "value",
    [
        "%FF",
        "%C3",
        "caf%E9",
        "%ED%A0%80",
        "%C0%80",
        pytest.param("\ud800", id="surrogate"),
        pytest.param("\udcff", id="byte"),
    ],
)
def test_bytes_that_are_not_utf_8_are_refused_by_name(value: str) -> None:
    with pytest.raises(CallError) as refused:
        parse_query(f"model=openai&user_input={value}")

    assert refused.value.code == "invalid_parameter"
    assert refused.value.param == "user_input"
    assert "user_input" in refused.value.message
    assert "UTF-8" in refused.value.message


@pytest.mark.parametrize("value", ["%00", "a%00b", "a\0b"])
def test_nul_is_refused_by_name(value: str) -> None:
    with pytest.raises(CallError) as refused:
        parse_form(f"system={value}".encode())

    assert refused.value.param == "system"
    assert "NUL" in refused.value.message


def test_a_name_that_is_not_utf_8_is_shown_escaped_and_cut() -> None:
    with pytest.raises(CallError) as refused:
        parse_query("%FF" + "n" * 500 + "=1")

    assert refused.value.message.startswith(r'The parameter name "\xff' + "n" * 76)
    assert len(refused.value.message) < 200
    assert refused.value.param is not None
    assert len(refused.value.param) == 64


def test_256_parameters_pass_and_one_more_is_refused() -> None:
    most = "&".join(f"p{number}=1" for number in range(256))

    with pytest.raises(CallError, match="more than 256 parameters"):
        parse_query(f"{most}&one_more=1")

    assert len(parse_query(most)) == 256


def test_a_path_keeps_slashes_and_plus_signs() -> None:
    assert decode_path("What%20is%201+1%2F2/3?") == "What is 1+1/2/3?"


@pytest.mark.parametrize("raw", ["%FF", "a%00"])
def test_a_path_that_cannot_be_read_names_the_prompt(raw: str) -> None:
    with pytest.raises(CallError) as refused:
        decode_path(raw)

    assert refused.value.param == "user_input"


SCRIPTS = [
    "Привет, мир! ",
    "こんにちは世界。",
    "مرحبا بالعالم ",
    "नमस्ते दुनिया ",
    "👩‍👩‍👧‍👦🏳️‍🌈 ",
    "a+b&c=d#e%20 ",
]


@pytest.mark.parametrize("phrase", SCRIPTS)
def test_6000_characters_of_any_script_pass_every_way_in(phrase: str) -> None:
    prompt = (phrase * 6000)[:6000]

    assert parse_query(f"user_input={quote_plus(prompt)}") == {"user_input": prompt}
    assert parse_form(f"user_input={quote(prompt)}".encode()) == {"user_input": prompt}
    assert decode_path(quote(prompt)) == prompt
