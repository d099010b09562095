"""A real, very small model: every feature that does not depend on its wit."""

import asyncio
from contextlib import aclosing

import pytest

from gateway.schema.chat import (
    ChatRequest,
    CompletionRequest,
    JsonFormat,
    Message,
    Sampling,
    TextPart,
    Tool,
)
from gateway.schema.events import Collected, StreamEvent, TextDelta, collect
from gateway.schema.failure import Failure
from gateway.schema.json import read_object
from gateway.sdk import Attempt, UpstreamError
from gateway.sdk.clock import SystemClock
from gateway.testing.caller import Caller
from gateway_local.provider import Local

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLOCK = SystemClock()
BRIEF = Sampling(temperature=0.0, max_output_tokens=12, seed=1)


def ask(text: str, sampling: Sampling = BRIEF, **fields: object) -> ChatRequest:
    request = ChatRequest("chat", (Message("user", (TextPart(text),)),), sampling)
    for name, value in fields.items():
        object.__setattr__(request, name, value)
    return request


async def complete(caller: Caller, request: CompletionRequest) -> list[StreamEvent]:
    assert isinstance(caller.provider, Local)
    attempt = Attempt("request", 1, CLOCK.monotonic() + 60)
    async with aclosing(caller.provider.complete(request, attempt)) as events:
        return [event async for event in events]


async def whole(caller: Caller, request: ChatRequest) -> Collected:
    return collect(await caller.whole(request))


async def test_words_come_one_by_one_with_their_usage(tiny: Caller) -> None:
    events = await tiny.whole(ask("Say hello."))

    collected = collect(events)
    assert len([event for event in events if isinstance(event, TextDelta)]) > 1
    assert collected.started.model == "smollm2-135m"
    assert collected.usage is not None
    assert 0 < collected.usage.total_out <= 12


async def test_a_schema_is_enforced(tiny: Caller) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"enum": ["Oslo", "Paris"]}, "cold": {"type": "boolean"}},
        "required": ["city", "cold"],
        "additionalProperties": False,
    }

    answer = await whole(
        tiny,
        ask(
            "Oslo is cold.",
            Sampling(max_output_tokens=60, temperature=3.0),
            response_format=JsonFormat(schema),
        ),
    )

    found = read_object(answer.choices[0].text.encode())
    assert found is not None
    assert found.keys() == {"city", "cold"}


async def test_a_schema_that_cannot_be_enforced_is_the_caller_s_fault(tiny: Caller) -> None:
    with pytest.raises(UpstreamError, match="unrecognized type") as caught:
        await whole(tiny, ask("Hi", response_format=JsonFormat({"type": "foo"})))

    assert (caught.value.failure, caught.value.param) == (Failure.CALLER_FAULT, "response_format")


async def test_a_demanded_call_is_one_of_a_declared_tool(tiny: Caller) -> None:
    parameters = {
        "type": "object",
        "properties": {"place": {"$ref": "#/$defs/Place"}},
        "required": ["place"],
        "$defs": {"Place": {"enum": ["Oslo", "Paris"]}},
    }

    answer = await whole(
        tiny,
        ask(
            "What is the weather in Oslo?",
            Sampling(max_output_tokens=100, temperature=0.0),
            tools=(Tool("get_weather", "The weather.", parameters),),
            tool_choice="required",
        ),
    )

    choice = answer.choices[0]
    (call,) = choice.tool_calls
    arguments = read_object(call.arguments.encode())
    assert (call.name, choice.finish, choice.text) == ("get_weather", "tool_calls", "")
    assert arguments is not None
    assert arguments["place"] in {"Oslo", "Paris"}


async def test_too_long_a_conversation_names_the_limit(tiny: Caller) -> None:
    with pytest.raises(UpstreamError, match="a context of 4096") as caught:
        await whole(tiny, ask("word " * 6000))

    assert caught.value.failure is Failure.CONTEXT_LENGTH


async def test_a_stop_sequence_ends_the_answer_before_it(tiny: Caller) -> None:
    sampling = Sampling(temperature=0.0, max_output_tokens=40, stop=("three",))

    answer = await whole(tiny, ask("Repeat exactly: one two three four", sampling))

    assert answer.choices[0].finish in {"stop", "length"}
    assert "three" not in answer.choices[0].text


async def test_the_length_is_kept_and_said(tiny: Caller) -> None:
    sampling = Sampling(temperature=0.0, max_output_tokens=3)

    answer = await whole(tiny, ask("Tell me a long story about the sea.", sampling))

    assert answer.choices[0].finish == "length"
    assert answer.usage is not None
    assert answer.usage.total_out == 3


async def test_the_same_seed_gives_the_same_answer_and_n_answers_differ(tiny: Caller) -> None:
    sampling = Sampling(temperature=1.5, max_output_tokens=12, seed=-5, n=2)
    request = ask("Invent a name for a boat.", sampling)

    first, second = await whole(tiny, request), await whole(tiny, request)

    texts = [choice.text for choice in first.choices]
    assert texts == [choice.text for choice in second.choices]
    assert texts[0] != texts[1]


async def test_log_probabilities_cover_the_words(tiny: Caller) -> None:
    sampling = Sampling(temperature=0.0, max_output_tokens=5, top_logprobs=2)

    answer = await whole(tiny, ask("Say hello.", sampling))

    entries = answer.choices[0].logprobs
    assert "".join(entry["token"] for entry in entries) == answer.choices[0].text
    assert all(len(entry["top_logprobs"]) == 2 for entry in entries)


async def test_prompts_are_continued_in_order_and_echoed(tiny: Caller) -> None:
    request = CompletionRequest(
        "chat",
        ("Once upon a time", "def add(a, b):"),
        Sampling(temperature=0.0, max_output_tokens=4, n=2),
        is_echoed=True,
    )

    answer = collect(await complete(tiny, request))

    starts = [choice.text[:8] for choice in answer.choices]
    assert starts == ["Once upo", "Once upo", "def add(", "def add("]
    assert all(choice.finish == "length" for choice in answer.choices)
    assert answer.usage is not None
    assert answer.usage.total_out == 16


async def test_a_completion_without_echo_is_only_what_follows(tiny: Caller) -> None:
    request = CompletionRequest("chat", ("Once upon a time",), BRIEF)

    answer = collect(await complete(tiny, request))

    assert answer.choices[0].text
    assert "Once upon" not in answer.choices[0].text


async def test_a_caller_who_hangs_up_frees_a_slot_for_the_next(tiny: Caller) -> None:
    endless = Sampling(temperature=1.0, max_output_tokens=3900)
    for _ in range(4):
        async with aclosing(tiny.stream(ask("Count to ten thousand.", endless))) as events:
            await anext(events)

    async with asyncio.timeout(20):
        answer = await whole(tiny, ask("Say hello."))

    assert answer.choices[0].text


async def test_the_card_says_what_really_answers(tiny: Caller) -> None:
    assert isinstance(tiny.provider, Local)
    listed, *engines = await tiny.provider.models()

    card = tiny.provider.card("chat")
    assert (listed.id, listed.card) == ("chat", card)
    ids = {engine.id for engine in engines}
    assert ids == {"embed", "moderate", "painter", "speech", "transcribe"}
    assert "SmolLM2 135M" in str(card.description)
    assert (card.context, card.tools, card.json_schema, card.licence) == (
        4096,
        False,
        True,
        "Apache-2.0",
    )
    assert tiny.provider.card("other").context is None
