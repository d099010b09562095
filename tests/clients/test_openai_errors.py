"""Errors as OpenAI's own client maps them: the right class, the right words, the right wait."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI

from gateway.schema.json import JsonObject
from gateway.state.keys import checksum
from gateway.testing.upstream import (
    FakeUpstream,
    empty,
    error_in_stream,
    rate_limit,
    reset,
    status,
    truncated,
)
from tests.clients.asking import CONFIG, KEY, TURNS, chunks_of
from tests.running import run_gateway

SECRET = "a" * 43
"""The body of a key of ours that nobody was ever given."""


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"temperature": 2.5}, "invalid_parameter", "temperature"),
        ({"n": 0}, "invalid_parameter", "n"),
        ({"messages": []}, "invalid_parameter", "messages"),
        ({"messages": None}, "missing_parameter", "messages"),
        ({"tool_choice": "required"}, "invalid_parameter", "tool_choice"),
        ({"top_logprobs": 1}, "invalid_parameter", "logprobs"),
        ({"api_base": "http://127.0.0.1"}, "invalid_parameter", "api_base"),
        ({"response_format": {"type": "xml"}}, "invalid_parameter", "response_format.type"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
async def test_a_wrong_request_is_a_bad_request_that_names_the_parameter(
    client: AsyncOpenAI, model: str, given: JsonObject, code: str, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await client.chat.completions.create(model=model, messages=TURNS, extra_body=given)

    error = raised.value
    assert (error.status_code, error.code, error.param) == (400, code, param)
    assert error.type == "invalid_request_error"
    assert param.partition(".")[0] in error.message


async def test_a_feature_that_a_model_lacks_is_a_bad_request_that_names_it(
    client: AsyncOpenAI,
) -> None:
    with pytest.raises(openai.BadRequestError, match="json_object") as raised:
        await client.chat.completions.create(
            model="chaos/words:3", messages=TURNS, response_format={"type": "json_object"}
        )

    assert raised.value.code == "unsupported_feature"


async def test_an_unknown_model_is_not_found_and_near_names_are_offered(
    client: AsyncOpenAI,
) -> None:
    with pytest.raises(openai.NotFoundError, match="openai") as raised:
        await client.chat.completions.create(model="opnai", messages=TURNS)

    assert (raised.value.code, raised.value.param) == ("model_not_found", "model")


async def test_an_unknown_path_is_not_found(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        await client.files.list()

    assert raised.value.code == "not_found"


@pytest.mark.parametrize(
    "key", [f"dg-{SECRET}{checksum(SECRET)}"], ids=["of our shape and unknown"]
)
async def test_a_key_of_our_shape_that_is_unknown_is_an_authentication_error(
    client: AsyncOpenAI, key: str
) -> None:
    with pytest.raises(openai.AuthenticationError) as raised:
        await client.with_options(api_key=key).chat.completions.create(
            model="openai", messages=TURNS
        )

    assert raised.value.code == "invalid_api_key"
    assert key not in str(raised.value)


@pytest.mark.parametrize("key", [KEY, "sk-whatever", "dg-not-ours"])
async def test_any_other_key_is_the_anonymous_caller(client: AsyncOpenAI, key: str) -> None:
    answer = await client.with_options(api_key=key).chat.completions.create(
        model="chaos/say:yes", messages=TURNS
    )

    assert answer.choices[0].message.content == "yes"


@pytest.mark.parametrize("model", ["openai", "chaos/fail:rate_limit+retry-after:9s"])
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
async def test_a_full_upstream_is_a_rate_limit_error_that_says_how_long_to_wait(
    client: AsyncOpenAI, upstream: FakeUpstream, model: str, is_stream: bool
) -> None:
    upstream.default = rate_limit(retry_after_s=9)

    with pytest.raises(openai.RateLimitError) as raised:
        await client.chat.completions.create(model=model, messages=TURNS, stream=is_stream)

    assert raised.value.code == "upstream_rate_limited"
    assert raised.value.response.headers["retry-after"] == "9"


@pytest.mark.parametrize(
    ("answer", "model"),
    [
        (status(500), "openai"),
        (status(401, "wrong key sk-canary-upstream"), "openai"),
        (reset(), "openai"),
        (empty(), "openai"),
        (truncated(0), "openai"),
        (None, "chaos/fail:transient"),
        (None, "chaos/fail:credential"),
        (None, "chaos/empty"),
    ],
    ids=["500", "401", "reset", "empty", "cut", "chaos_500", "chaos_401", "chaos_empty"],
)
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
async def test_what_is_not_the_callers_fault_is_a_server_error(
    client: AsyncOpenAI, upstream: FakeUpstream, answer: object, model: str, is_stream: bool
) -> None:
    if answer is not None:
        upstream.default = answer  # type: ignore[assignment]  # The table mixes answers and None.

    with pytest.raises(openai.InternalServerError) as raised:
        await client.chat.completions.create(model=model, messages=TURNS, stream=is_stream)

    assert (raised.value.status_code, raised.value.code) == (502, "upstream_failed")
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("model", ["openai", "chaos/words:9+fail:transient@2"])
async def test_a_stream_that_breaks_off_raises_after_its_first_words(
    client: AsyncOpenAI, upstream: FakeUpstream, model: str
) -> None:
    has_read = asyncio.Event()
    upstream.default = error_in_stream("one ", "two ", hold=has_read)
    said: list[str] = []

    async def read() -> None:
        async with await client.chat.completions.create(
            model=model, messages=TURNS, stream=True
        ) as stream:
            async for chunk in stream:
                said.append(chunk.choices[0].delta.content or "")
                has_read.set()

    with pytest.raises(openai.APIError) as raised:
        await read()

    assert len("".join(said).split()) == 2
    assert raised.value.code == "upstream_failed"
    assert "scripted" not in raised.value.message


@pytest.fixture
async def two_an_hour(upstream: FakeUpstream, tmp_path: Path) -> AsyncIterator[AsyncOpenAI]:
    """A client of a gateway that takes two calls an hour."""
    limits = "limits: {anonymous: {requests: 2/hour}}"
    async with (
        run_gateway(limits + CONFIG.format(url=upstream.url), tmp_path) as gateway,
        AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        yield client


async def test_the_callers_own_limit_is_a_rate_limit_error_with_the_time_it_ends(
    two_an_hour: AsyncOpenAI,
) -> None:
    for _ in range(2):
        await chunks_of(two_an_hour, "openai")

    with pytest.raises(openai.RateLimitError) as raised:
        await chunks_of(two_an_hour, "openai")

    error, headers = raised.value, raised.value.response.headers
    assert error.code == "rate_limit_exceeded"
    assert isinstance(error.body, dict)
    assert error.body["details"]["reset_time"].endswith("Z")
    # Whole seconds, rounded up twice: the window's end, and the wait for it.
    assert 3590 <= int(headers["retry-after"]) <= 3601
    assert headers["x-ratelimit-limit"] == "2"
    assert headers["x-ratelimit-remaining"] == "0"
