"""The published Python client, unchanged but for where it finds the API."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from dynaspark import DynaSpark, DynaSparkError

from gateway.testing.upstream import FakeUpstream, converse, reply, status
from tests.running import Running

Ask = Callable[..., Any]  # Any: what the client returns is untyped.


@pytest.fixture
def spark(gateway: Running, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch) -> DynaSpark:
    """The client, with the key that it sends unless told otherwise."""
    monkeypatch.setattr(DynaSpark, "BASE_URL", f"{gateway.url}/api/")
    upstream.default = converse()
    return DynaSpark()


@pytest.fixture
def ask(spark: DynaSpark) -> Ask:
    """`generate_response` in a thread of its own: the client blocks."""

    async def generate(user_input: str, **parameters: object) -> object:
        return await asyncio.to_thread(spark.generate_response, user_input, **parameters)

    return generate


async def test_a_text_comes_back_as_it_was_said(ask: Ask) -> None:
    assert await ask("Hello, Größe & 世界?") == {"response": "Hello, Größe & 世界?"}


@pytest.mark.parametrize(
    ("name", "given", "sent"),
    [
        ("temperature", 3.0, 3.0),
        ("top_p", 0.5, 0.5),
        ("presence_penalty", -2.0, -2.0),
        ("frequency_penalty", 1.5, 1.5),
        ("seed", 42, 42),
        ("model", "openai-large", "upstream-model"),
    ],
)
async def test_what_tunes_an_answer_reaches_the_model(
    ask: Ask, upstream: FakeUpstream, name: str, given: object, sent: object
) -> None:
    answer = await ask("hi", **{name: given})

    assert answer == {"response": "hi"}
    assert upstream.requests[0].document[name] == sent


async def test_system_is_the_first_turn(ask: Ask, upstream: FakeUpstream) -> None:
    await ask("hi", system="You are a pirate")

    assert upstream.requests[0].document["messages"] == [
        {"role": "system", "content": "You are a pirate"},
        {"role": "user", "content": "hi"},
    ]


@pytest.mark.parametrize(
    "given", [{"private": True}, {"private": False}, {"referrer": "shop"}, {"voice": "nova"}]
)
async def test_what_concerns_the_gateway_alone_is_taken_and_not_passed_on(
    ask: Ask, upstream: FakeUpstream, given: dict[str, object]
) -> None:
    answer = await ask("hi", **given)

    assert answer == {"response": "hi"}
    assert not given.keys() & upstream.requests[0].document.keys()


async def test_json_wraps_the_words_in_a_message(ask: Ask) -> None:
    assert await ask("Hello", json=True) == {"message": "Hello"}


async def test_json_gives_a_list_the_name_that_the_prompt_gave_it(ask: Ask) -> None:
    answer = await ask("List 3 Pokemons", json=True, model="chaos/echo")

    assert list(answer) == ["Pokemons"]
    assert len(answer["Pokemons"]) == 3


async def test_an_error_that_the_model_speaks_of_is_not_raised(
    ask: Ask, upstream: FakeUpstream
) -> None:
    upstream.default = reply('{"error": "no such city"}')

    answer = await ask("The weather as JSON", json=True)

    assert answer == {"message": {"error": "no such city"}}


async def test_stream_brings_the_frames(ask: Ask) -> None:
    answer = await ask("two words", stream=True)

    assert answer["response"].startswith("data: {")
    assert answer["response"].endswith("data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"temperature": 3.1}, 400),
        ({"seed": "x"}, 400),
        ({"voice": "somebody"}, 400),
        ({"model": "none-such"}, 404),
        ({"model": "chaos/fail:transient"}, 502),
        ({"model": "chaos/fail:rate_limit"}, 429),
    ],
)
async def test_an_error_is_the_clients_own(ask: Ask, given: dict[str, object], code: int) -> None:
    with pytest.raises(DynaSparkError, match=f"{code} Client|{code} Server"):
        await ask("hi", **given)


async def test_an_upstream_that_fails_is_an_error(ask: Ask, upstream: FakeUpstream) -> None:
    upstream.default = status(503)

    with pytest.raises(DynaSparkError, match="502 Server"):
        await ask("hi")


async def test_a_post_takes_the_same_parameters_as_json(
    spark: DynaSpark, upstream: FakeUpstream
) -> None:
    given = {"user_input": "from the body", "temperature": 0.5, "stream": False}

    answer = await asyncio.to_thread(
        spark._make_request,  # noqa: SLF001 - the only way to its POST.
        "generate_response",
        {"user_input": "from the query"},
        "POST",
        given,
    )

    assert answer == {"response": "from the body"}
    assert upstream.requests[0].document["temperature"] == 0.5


async def test_the_models_are_a_list_of_cards(spark: DynaSpark) -> None:
    answer = await asyncio.to_thread(spark._make_request, "text/models")  # noqa: SLF001 - as above.

    assert "openai" in [card["name"] for card in answer]


async def test_no_key_is_an_anonymous_caller_too(spark: DynaSpark) -> None:
    spark.api_key = None

    assert await asyncio.to_thread(spark.generate_response, "hi") == {"response": "hi"}
