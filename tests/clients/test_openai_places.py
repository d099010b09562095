"""Where OpenAI's own client finds the gateway: base URLs, models, headers; the sync client too."""

import asyncio
import re

import pytest
from openai import AsyncOpenAI, NotFoundError, OpenAI

from gateway.testing.upstream import FakeUpstream, converse
from tests.clients.asking import KEY, SAID, TURNS
from tests.running import Running

ROOTS = ["/openai", "/v1", "/api/openai", "/openai/v1", "/api/openai/v1"]


@pytest.mark.parametrize("root", ROOTS)
async def test_the_sync_client_works_at_every_base_url(
    gateway: Running, upstream: FakeUpstream, root: str
) -> None:
    upstream.default = converse()

    def talk() -> tuple[str | None, str, str, list[str]]:
        with OpenAI(base_url=gateway.url + root, api_key=KEY, max_retries=0) as client:
            whole = client.chat.completions.create(model="openai", messages=TURNS)
            with client.chat.completions.create(
                model="openai", messages=TURNS, stream=True
            ) as stream:
                streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
            plain = client.completions.create(model="openai", prompt="plain")
            names = [model.id for model in client.models.list()]
            return whole.choices[0].message.content, streamed, plain.choices[0].text, names

    said, streamed, plain, names = await asyncio.to_thread(talk)

    assert (said, streamed, plain) == (SAID, SAID, "plain")
    assert "openai" in names


async def test_the_published_python_example_works_but_for_the_host(
    gateway: Running, upstream: FakeUpstream
) -> None:
    upstream.default = converse()

    def example() -> str | None:
        client = OpenAI(
            base_url=f"{gateway.url}/openai",
            api_key="Th3-C0der",
        )
        completion = client.chat.completions.create(
            model="openai",
            messages=[{"role": "user", "content": "What is the meaning of life?"}],
        )
        client.close()
        return completion.choices[0].message.content

    assert await asyncio.to_thread(example) == "What is the meaning of life?"


async def test_the_models_are_listed_with_their_cards(client: AsyncOpenAI) -> None:
    models = {model.id: model async for model in client.models.list()}

    assert set(models) == {"openai", "openai-large"}
    assert models["openai"].object == "model"
    assert models["openai"].owned_by == "up"
    card = models["openai"].model_extra
    assert card is not None
    assert card["output_modalities"] == ["text"]


@pytest.mark.parametrize("name", ["openai", "openai-large", "chaos/echo"])
async def test_a_model_can_be_looked_up_by_name_alias_or_family(
    client: AsyncOpenAI, name: str
) -> None:
    model = await client.models.retrieve(name)

    assert (model.id, model.object) == (name, "model")


async def test_a_model_that_is_not_there_is_not_found(client: AsyncOpenAI) -> None:
    with pytest.raises(NotFoundError) as raised:
        await client.models.retrieve("gpt-none")

    assert raised.value.code == "model_not_found"


async def test_the_headers_tell_of_the_call(client: AsyncOpenAI, model: str) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model=model, messages=TURNS, extra_headers={"X-Request-Id": "mine-1"}
    )

    headers, answer = raw.headers, raw.parse()
    assert headers["x-model"] == model
    assert headers["x-provider"] == ("up" if model == "openai" else "chaos")
    assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("100", "99")
    assert headers["x-ratelimit-limit-requests"] == "100"
    assert headers["x-ratelimit-remaining-requests"] == "99"
    assert re.fullmatch(r"1h0m0s|59m\d+s", headers["x-ratelimit-reset-requests"])
    assert headers["cache-control"] == "private, no-store"
    assert headers["x-client-request-id"] == "mine-1"
    assert re.fullmatch(r"req_[0-9a-f]{24}", headers["x-request-id"])
    assert answer._request_id == headers["x-request-id"]  # noqa: SLF001 - documented as public.


async def test_a_stream_has_the_headers_too(client: AsyncOpenAI, model: str) -> None:
    async with client.chat.completions.with_streaming_response.create(
        model=model, messages=TURNS, stream=True
    ) as raw:
        lines = [line async for line in raw.iter_lines()]

    assert raw.headers["content-type"].startswith("text/event-stream")
    assert raw.headers["x-model"] == model
    assert raw.headers["x-ratelimit-remaining-requests"] == "99"
    assert [line for line in lines if line][-1] == "data: [DONE]"
