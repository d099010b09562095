"""Tools through OpenAI's own client: every choice, streamed deltas, calls side by side."""

import json

import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolUnionParam

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream, chunks, tool_call

TURNS: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Weather in Oslo?"}]
WEATHER: ChatCompletionToolUnionParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Oslo"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CLOCK: ChatCompletionToolUnionParam = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(params=["openai", "chaos/tool:get_weather"], ids=["forwarded", "as_events"])
def model(request: pytest.FixtureRequest, upstream: FakeUpstream) -> str:
    """A model that asks for the weather of Oslo, on each of the two paths."""
    upstream.default = tool_call("get_weather", {"city": "Oslo"})
    return str(request.param)


async def choose(client: AsyncOpenAI, model: str, choice: object) -> tuple[list[str], str]:
    """Return the names of the tools that are asked for under `choice`, and the words."""
    answer = await client.chat.completions.create(
        model=model,
        messages=TURNS,
        tools=[CLOCK, WEATHER],
        extra_body={} if choice is None else {"tool_choice": choice},
    )
    message = answer.choices[0].message
    calls = message.tool_calls or []
    return [c.function.name for c in calls if c.type == "function"], message.content or ""


async def test_a_tool_call_has_an_id_a_name_and_arguments(client: AsyncOpenAI, model: str) -> None:
    answer = await client.chat.completions.create(
        model=model, messages=TURNS, tools=[CLOCK, WEATHER]
    )

    message = answer.choices[0].message
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert call.type == "function"
    assert call.id
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    assert message.content is None
    assert answer.choices[0].finish_reason == "tool_calls"


async def test_a_streamed_call_begins_with_its_name_and_goes_on_with_arguments(
    client: AsyncOpenAI, model: str
) -> None:
    async with await client.chat.completions.create(
        model=model, messages=TURNS, tools=[WEATHER], stream=True
    ) as stream:
        choices = [chunk.choices[0] async for chunk in stream]

    deltas = [delta for choice in choices for delta in choice.delta.tool_calls or ()]
    first, *others = deltas
    assert first.id
    assert first.function is not None
    assert first.function.name == "get_weather"
    assert {delta.index for delta in deltas} == {0}
    assert len(others) > 1
    assert [delta.id for delta in others] == [None] * len(others)
    arguments = "".join(d.function.arguments or "" for d in deltas if d.function)
    assert json.loads(arguments) == {"city": "Oslo"}
    assert choices[-1].finish_reason == "tool_calls"


async def test_the_sdks_stream_helper_gathers_the_call(client: AsyncOpenAI, model: str) -> None:
    async with client.chat.completions.stream(
        model=model, messages=TURNS, tools=[WEATHER]
    ) as stream:
        kinds = [event.type async for event in stream]
        answer = await stream.get_final_completion()

    assert "tool_calls.function.arguments.delta" in kinds
    assert "tool_calls.function.arguments.done" in kinds
    assert answer.choices[0].message.tool_calls is not None
    (call,) = answer.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Oslo"}


async def test_calls_side_by_side_keep_apart_in_a_stream(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    upstream.will(
        chunks(
            _delta({"role": "assistant", "tool_calls": [_begun(0, "a", "get_weather")]}),
            _delta({"tool_calls": [_begun(1, "b", "get_time")]}),
            _delta({"tool_calls": [_more(0, '{"city": '), _more(1, "{")]}),
            _delta({"tool_calls": [_more(1, "}"), _more(0, '"Oslo"}')]}),
            _delta({}, finish="tool_calls"),
        )
    )

    async with client.chat.completions.stream(
        model="openai", messages=TURNS, tools=[CLOCK, WEATHER], parallel_tool_calls=True
    ) as stream:
        answer = await stream.get_final_completion()

    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert [(c.id, c.function.name, c.function.arguments) for c in calls] == [
        ("a", "get_weather", '{"city": "Oslo"}'),
        ("b", "get_time", "{}"),
    ]
    assert upstream.requests[0].document["parallel_tool_calls"] is True


@pytest.mark.parametrize(
    ("choice", "names", "words"),
    [
        (None, [], "Weather in Oslo?"),
        ("auto", [], "Weather in Oslo?"),
        ("none", [], "Weather in Oslo?"),
        ("required", ["get_time"], ""),
        ({"type": "function", "function": {"name": "get_weather"}}, ["get_weather"], ""),
    ],
    ids=["absent", "auto", "none", "required", "named"],
)
async def test_every_tool_choice_means_what_it_says(
    client: AsyncOpenAI, choice: object, names: list[str], words: str
) -> None:
    # Chaos' echo calls a tool only when it must.
    answer = await choose(client, "chaos/echo", choice)

    assert answer == (names, words)


async def test_none_keeps_a_model_from_a_tool_that_it_would_call(client: AsyncOpenAI) -> None:
    wanted, _ = await choose(client, "chaos/tool", "auto")
    forbidden, words = await choose(client, "chaos/tool", "none")

    assert wanted == ["get_time"]
    assert (forbidden, words) == ([], "Weather in Oslo?")


@pytest.mark.parametrize(
    "choice",
    ["auto", "none", "required", {"type": "function", "function": {"name": "get_time"}}],
    ids=["auto", "none", "required", "named"],
)
async def test_tools_and_choice_reach_the_upstream_as_they_were_given(
    client: AsyncOpenAI, upstream: FakeUpstream, choice: object
) -> None:
    await choose(client, "openai", choice)

    sent = upstream.requests[0].document
    assert sent["tools"] == [CLOCK, WEATHER]
    assert sent["tool_choice"] == choice


async def test_the_result_of_a_tool_goes_back_into_the_conversation(client: AsyncOpenAI) -> None:
    asked = await client.chat.completions.create(
        model="chaos/tool:get_weather", messages=TURNS, tools=[WEATHER]
    )
    assert asked.choices[0].message.tool_calls is not None
    (call,) = asked.choices[0].message.tool_calls
    more: list[ChatCompletionMessageParam] = [
        *TURNS,
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "-3 degrees"},
    ]

    answer = await client.chat.completions.create(
        model="chaos/tool:get_weather", messages=more, tools=[WEATHER]
    )

    assert answer.choices[0].message.content == "-3 degrees"
    assert answer.choices[0].finish_reason == "stop"


def _delta(delta: JsonObject, finish: str | None = None) -> JsonObject:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    shared = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return shared | {"choices": [choice]}


def _begun(index: int, call_id: str, name: str) -> JsonObject:
    function = {"name": name, "arguments": ""}
    return {"index": index, "id": call_id, "type": "function", "function": function}


def _more(index: int, arguments: str) -> JsonObject:
    return {"index": index, "function": {"arguments": arguments}}
