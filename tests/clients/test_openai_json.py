"""`response_format` through OpenAI's own client, and answers parsed into models of pydantic."""

import json
from typing import Literal

import orjson
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

from gateway.testing.upstream import FakeUpstream, reply
from tests.clients.asking import chunks_of, text_of

TURNS: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": "Maria Lopez, 34, Valencia, as JSON"}
]


class Person(BaseModel):
    """Somebody, with a nested object, a list and a choice."""

    class Home(BaseModel):
        """Where they live."""

        city: str
        floor: int | None

    name: str
    age: int
    home: Home
    tags: list[str]
    kind: Literal["customer", "guest"]


MARIA = Person(
    name="Maria Lopez",
    age=34,
    home=Person.Home(city="Valencia", floor=None),
    tags=["new"],
    kind="guest",
)


async def test_json_object_gives_an_object(client: AsyncOpenAI, model: str) -> None:
    answer = await client.chat.completions.create(
        model=model, messages=TURNS, response_format={"type": "json_object"}
    )

    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


async def test_a_schema_holds_the_answer(client: AsyncOpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"colours": {"type": "array", "items": {"const": "red"}, "minItems": 2}},
        "required": ["colours"],
        "additionalProperties": False,
    }

    answer = await client.chat.completions.create(
        model="chaos/echo",
        messages=TURNS,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "palette", "schema": schema, "strict": True},
        },
    )

    assert json.loads(answer.choices[0].message.content or "") == {"colours": ["red", "red"]}


async def test_a_schema_reaches_the_upstream_as_it_was_given(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "any", "description": "…", "schema": {"type": "object"}},
    }

    await client.chat.completions.create(
        model="openai", messages=TURNS, extra_body={"response_format": wanted}
    )

    assert upstream.requests[0].document["response_format"] == wanted


@pytest.mark.parametrize("model", ["openai", "chaos/echo"])
async def test_parse_makes_a_model_of_the_answer(
    client: AsyncOpenAI, upstream: FakeUpstream, model: str
) -> None:
    upstream.default = reply(MARIA.model_dump_json())

    answer = await client.chat.completions.parse(
        model=model, messages=TURNS, response_format=Person
    )

    parsed = answer.choices[0].message.parsed
    assert isinstance(parsed, Person)
    assert model != "openai" or parsed == MARIA


async def test_the_stream_helper_parses_at_the_end(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    upstream.default = reply(orjson.dumps(MARIA.model_dump()).decode())

    async with client.chat.completions.stream(
        model="openai", messages=TURNS, response_format=Person
    ) as stream:
        answer = await stream.get_final_completion()

    assert answer.choices[0].message.parsed == MARIA


async def test_an_object_can_be_streamed(client: AsyncOpenAI, model: str) -> None:
    received = await chunks_of(client, model, response_format={"type": "json_object"})

    assert isinstance(json.loads(text_of(received)), dict)
