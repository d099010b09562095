"""DynaSpark's text parameters: what they mean, what is ignored, what is refused."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.dialects.dynaspark import TextQuery, merge, parse_text
from gateway.dialects.dynaspark_json import ListAnswer, MessageAnswer
from gateway.dialects.query import decode_path, parse_form, parse_query
from gateway.schema.ask import Ask, Feature
from gateway.schema.chat import ChatRequest, JsonFormat, Message, Sampling, TextPart
from gateway.schema.failure import CallError

SITE = "https://dynaspark.onrender.com/api"


def parse(given: dict[str, Any]) -> tuple[Ask, TextQuery]:
    return parse_text(given, default_model="openai", random_seed=4711)


def meaning(given: dict[str, Any]) -> ChatRequest:
    request = parse(given)[0].meaning()
    assert isinstance(request, ChatRequest)
    return request


def refusal(given: dict[str, Any]) -> CallError:
    with pytest.raises(CallError) as refused:
        parse(given)
    return refused.value


DOCUMENTED = [
    ("generate_response?user_input=Hello%20world&api_key=YOUR_API_KEY", "Hello world", {}),
    (
        "generate_response?user_input=Hello%20world&temperature=0.8",
        "Hello world",
        {"temperature": 0.8},
    ),
    ("generate_response?user_input=Hello", "Hello", {}),
    ("generate_response?user_input=Hello&json=true", "Hello", {}),
    ("generate_response?user_input=List%203%20Pokemons&json=true", "List 3 Pokemons", {}),
    (
        (
            "generate_response?user_input=Explain%20quantum%20computing%20in%20simple%20terms"
            "&model=mistral&temperature=0.7"
        ),
        "Explain quantum computing in simple terms",
        {"temperature": 0.7},
    ),
    (
        (
            "generate_response?user_input=Write%20a%20Python%20function%20to%20sort%20a%20list%20of"
            "%20dictionaries%20by%20a%20key&model=qwen-coder&temperature=0.2"
        ),
        "Write a Python function to sort a list of dictionaries by a key",
        {"temperature": 0.2},
    ),
    ("generate_response?user_input=List%203%20colors&json=true", "List 3 colors", {}),
    (
        "generate_response?user_input=Tell%20me%20a%20long%20story&stream=true",
        "Tell me a long story",
        {},
    ),
    (
        "generate_response?user_input=Hello&system=You%20are%20a%20pirate%20assistant",
        "Hello",
        {},
    ),
]


@pytest.mark.parametrize(("url", "prompt", "knobs"), DOCUMENTED)
def test_every_documented_text_url_is_understood(
    url: str, prompt: str, knobs: dict[str, float]
) -> None:
    ask, query = parse(parse_query(urlsplit(f"{SITE}/{url}").query))

    assert query.user_input == prompt
    assert ask.knobs == knobs
    assert ask.ignored_params == ()
    assert ask.meaning().model == ask.model == query.model
    assert query.is_json == ("json=true" in url)
    assert query.is_stream == ask.is_stream == ("stream=true" in url)


def test_the_documented_path_is_understood() -> None:
    url = urlsplit(f"{SITE}/text/What%20is%20AI?model=openai")
    prompt = decode_path(url.path.removeprefix("/api/text/"))

    ask, query = parse({**parse_query(url.query), "user_input": prompt})

    assert query.user_input == "What is AI"
    assert ask.model == "openai"


def test_a_bare_prompt_gets_the_defaults() -> None:
    ask, query = parse({"user_input": "Hello"})

    assert ask.model == "openai"
    assert ask.needs == {Feature.TEXT}
    assert ask.knobs == {}
    assert (ask.dialect, ask.wire, ask.document) == ("dynaspark", None, {})
    assert (ask.is_stream, ask.is_private, ask.has_seed) == (False, False, False)
    assert ask.is_feed_worthy
    assert ask.referrer is None
    assert query.json_kind is None
    assert ask.meaning() == ChatRequest(
        model="openai",
        messages=(Message("user", (TextPart("Hello"),)),),
        sampling=Sampling(seed=4711),
    )


def test_every_parameter_arrives() -> None:
    ask, query = parse(
        parse_query(
            "user_input=Hi&model=mistral&temperature=3&top_p=1&presence_penalty=-2"
            "&frequency_penalty=2&json&stream=True&private=on&system=Be%20brief&seed=7&referrer=me"
        )
    )

    assert query == TextQuery(
        user_input="Hi",
        model="mistral",
        seed=7,
        sampling=Sampling(
            temperature=3.0, top_p=1.0, presence_penalty=-2.0, frequency_penalty=2.0, seed=7
        ),
        system="Be brief",
        json_kind=MessageAnswer(),
        is_stream=True,
        is_private=True,
    )
    assert ask.knobs == {
        "temperature": 3.0,
        "top_p": 1.0,
        "presence_penalty": -2.0,
        "frequency_penalty": 2.0,
        "seed": 7,
    }
    assert (ask.is_stream, ask.is_private, ask.has_seed) == (True, True, True)
    assert ask.referrer == "me"
    request = ask.meaning()
    assert isinstance(request, ChatRequest)
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.messages[0].text == "Be brief"


@pytest.mark.parametrize("given", [{}, {"seed": "-1"}, {"seed": -1}])
def test_a_seed_left_open_is_random_but_not_the_callers(given: dict[str, Any]) -> None:
    ask, query = parse({"user_input": "Hi", **given})

    assert query.seed == query.sampling.seed == 4711
    assert not ask.has_seed
    assert "seed" not in ask.knobs


def test_a_seed_of_zero_is_a_seed() -> None:
    ask, query = parse({"user_input": "Hi", "seed": "0"})

    assert query.seed == query.sampling.seed == 0
    assert ask.has_seed


@pytest.mark.parametrize(
    "given", [{}, {"user_input": ""}, {"user_input": " \n"}, {"user_input": None}]
)
def test_a_missing_prompt_is_missing_whatever_else_is_wrong(given: dict[str, Any]) -> None:
    error = refusal({**given, "temperature": "99"})

    assert (error.code, error.param) == ("missing_parameter", "user_input")
    assert "/api/generate_response?user_input=Hello%20world" in error.message


def test_a_prompt_is_passed_on_untrimmed() -> None:
    assert meaning({"user_input": " \tHi \n"}).messages[0].text == " \tHi \n"


@pytest.mark.parametrize("name", ["model", "system", "referrer"])
def test_an_empty_text_counts_as_absent(name: str) -> None:
    ask, query = parse({"user_input": "Hi", name: ""})

    assert ask.model == "openai"
    assert query.system is None
    assert ask.referrer is None
    assert ask.ignored_params == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", "3.1"),
        ("top_p", "-0.1"),
        ("presence_penalty", "2.5"),
        ("frequency_penalty", "x"),
        ("json", "maybe"),
        ("stream", "2"),
        ("private", "ja"),
        ("seed", "1.5"),
        ("seed", "9223372036854775808"),
        ("referrer", "r" * 257),
        ("voice", "nobody"),
        ("speed", "5"),
        ("format", "midi"),
        ("quality", "best"),
        ("temperature", [0.7]),
        ("json", 1),
        ("user_input", 5),
        ("system", {"a": 1}),
        ("system", "a\0b"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: object) -> None:
    error = refusal({"user_input": "Hi", name: value})

    assert (error.code, error.status, error.param) == ("invalid_parameter", 400, name)
    assert error.message.startswith(f"{name} must be ")


def test_unknown_and_audio_parameters_are_ignored_by_name_in_order() -> None:
    ask, _ = parse(
        parse_query("utm_source=x&voice=nova&user_input=Hi&api_key=k&width=5&speed=1&=nameless")
    )

    assert ask.ignored_params == ("utm_source", "voice", "width", "speed")


def test_ignored_names_are_fit_for_a_header() -> None:
    names = ["a,b c", "x\r\nSet-Cookie: y", "имя", "n" * 500]

    ask, _ = parse({"user_input": "Hi", **dict.fromkeys(names, "1")})

    assert ask.ignored_params == (
        "a%2Cb%20c",
        "x%0D%0ASet-Cookie:%20y",
        "%D0%B8%D0%BC%D1%8F",
        "n" * 64,
    )


def test_a_flood_of_ignored_names_is_counted_not_listed() -> None:
    ask, _ = parse({"user_input": "Hi", **{f"p{number}": "1" for number in range(1000)}})

    assert len(ask.ignored_params) == 33
    assert ask.ignored_params[-1] == "... and 968 more"


def test_json_and_form_bodies_mean_the_same() -> None:
    form = parse_form(b"user_input=Hi&temperature=0.5&json=true&seed=3")
    texts = {"user_input": "Hi", "temperature": "0.5", "json": "true", "seed": "3"}
    typed = {"user_input": "Hi", "temperature": 0.5, "json": True, "seed": 3}

    assert parse(form)[1] == parse(texts)[1] == parse(typed)[1]


def test_the_body_wins_over_the_query_and_null_gives_way() -> None:
    given = merge(
        {"user_input": "query", "model": "mistral", "seed": "1"},
        {"user_input": "body", "model": None, "extra": None},
    )

    assert given == {"user_input": "body", "model": "mistral", "seed": "1"}


def test_a_list_prompt_is_held_to_its_schema() -> None:
    ask, query = parse({"user_input": "List 3 Pokemons", "json": "true"})

    assert query.json_kind == ListAnswer("Pokemons", 3)
    assert ask.needs == {Feature.TEXT, Feature.JSON_SCHEMA}
    assert meaning({"user_input": "List 3 Pokemons", "json": "true"}).response_format == JsonFormat(
        schema={
            "type": "object",
            "properties": {
                "Pokemons": {
                    "type": "array",
                    "items": {"type": "string"},
                    "minItems": 3,
                    "maxItems": 3,
                }
            },
            "required": ["Pokemons"],
            "additionalProperties": False,
        },
        is_strict=True,
    )


def test_a_prompt_for_json_gets_json_mode_and_its_own_words() -> None:
    given = {"user_input": "Describe Rome as JSON", "json": "true"}

    assert parse(given)[0].needs == {Feature.TEXT, Feature.JSON_OBJECT}
    assert meaning(given).response_format == JsonFormat()
    assert [message.text for message in meaning(given).messages] == ["Describe Rome as JSON"]


def test_json_mode_says_json_where_the_caller_does_not() -> None:
    given = {"user_input": "Return an object with name and age", "json": "true", "system": "Hi"}

    request = meaning(given)

    assert [message.text for message in request.messages] == [
        "Answer with one JSON object.",
        "Hi",
        "Return an object with name and age",
    ]


def test_without_json_a_list_prompt_is_asked_normally() -> None:
    ask, query = parse({"user_input": "List 3 colors", "json": "false"})

    assert not query.is_json
    assert ask.needs == {Feature.TEXT}
    assert meaning({"user_input": "List 3 colors"}).response_format is None


def test_the_meaning_can_be_asked_for_again() -> None:
    ask, _ = parse({"user_input": "Hi"})

    assert ask.meaning() == ask.meaning()
