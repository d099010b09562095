"""Conversations through OpenAI's own client, whole and streamed."""

import asyncio

import orjson
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream, Tokens, body, chunks, reply, stream
from tests.clients.asking import SAID, TURNS, chunks_of, text_of
from tests.running import Running


async def test_a_conversation_is_answered_in_openais_shape(client: AsyncOpenAI, model: str) -> None:
    answer = await client.chat.completions.create(model=model, messages=TURNS)

    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == SAID
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens == 6


async def test_each_model_of_these_tests_takes_the_path_it_is_there_for(
    client: AsyncOpenAI, gateway: Running, model: str
) -> None:
    await client.chat.completions.create(model=model, messages=TURNS)

    path = "forward" if model == "openai" else "events"
    assert f'"path":"{path}"' in gateway.lines()


async def test_a_stream_brings_the_words_one_after_the_other(
    client: AsyncOpenAI, model: str
) -> None:
    received = await chunks_of(client, model)

    assert text_of(received) == SAID
    assert sum(bool(text_of([chunk])) for chunk in received) == 6
    assert received[0].choices[0].delta.role == "assistant"
    assert received[-1].choices[0].finish_reason == "stop"
    assert {chunk.object for chunk in received} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in received}) == 1


async def test_no_chunk_is_without_choices_unless_the_usage_is_asked_for(
    client: AsyncOpenAI, model: str
) -> None:
    received = await chunks_of(client, model)

    assert all(chunk.choices for chunk in received)


async def test_include_usage_ends_the_stream_with_a_chunk_that_holds_nothing_else(
    client: AsyncOpenAI, model: str
) -> None:
    received = await chunks_of(client, model, stream_options={"include_usage": True})

    assert received[-1].choices == []
    assert received[-1].usage is not None
    assert received[-1].usage.completion_tokens == 6
    assert [chunk.usage for chunk in received[:-1]] == [None] * (len(received) - 1)
    assert text_of(received) == SAID


async def test_the_sdks_stream_helper_gathers_the_answer(client: AsyncOpenAI, model: str) -> None:
    async with client.chat.completions.stream(model=model, messages=TURNS) as stream:
        kinds = [event.type async for event in stream]
        answer = await stream.get_final_completion()

    assert "content.delta" in kinds
    assert "content.done" in kinds
    assert answer.choices[0].message.content == SAID


async def test_n_asks_for_several_answers(client: AsyncOpenAI, model: str) -> None:
    answer = await client.chat.completions.create(model=model, messages=TURNS, n=3)

    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert [choice.message.content for choice in answer.choices] == [SAID] * 3


async def test_n_streams_several_answers_side_by_side(client: AsyncOpenAI, model: str) -> None:
    received = await chunks_of(client, model, n=2)

    assert text_of(received, 0) == text_of(received, 1) == SAID
    assert sum(choice.finish_reason == "stop" for c in received for choice in c.choices) == 2


async def test_parts_of_text_are_one_turn(client: AsyncOpenAI, model: str) -> None:
    parts: list[ChatCompletionMessageParam] = [
        {"role": "developer", "content": [{"type": "text", "text": "Echo."}]},
        {"role": "user", "content": [{"type": "text", "text": "one part"}]},
        {"role": "assistant", "content": "one part"},
        {"role": "user", "content": [{"type": "text", "text": "another part"}]},
    ]

    answer = await client.chat.completions.create(model=model, messages=parts)

    assert answer.choices[0].message.content == "another part"


async def test_stop_ends_an_answer_before_the_word(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="chaos/say:one%20two%20three", messages=TURNS, stop=["three"]
    )

    assert answer.choices[0].message.content == "one two "
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_the_most_tokens_end_an_answer_with_length(client: AsyncOpenAI, field: str) -> None:
    answer = await client.chat.completions.create(
        model="chaos/words:9", messages=TURNS, extra_body={field: 2}
    )

    assert answer.choices[0].finish_reason == "length"
    assert len((answer.choices[0].message.content or "").split()) == 2


async def test_the_same_seed_gives_the_same_words_and_another_one_others(
    client: AsyncOpenAI,
) -> None:
    said = [
        (await client.chat.completions.create(model="chaos/words:8", messages=TURNS, seed=seed))
        .choices[0]
        .message.content
        for seed in (1, 1, 2)
    ]

    assert said[0] == said[1] != said[2]


async def test_what_tunes_an_answer_reaches_the_upstream_as_it_was_given(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    given: JsonObject = {
        "temperature": 0.25,
        "top_p": 0.5,
        "presence_penalty": -1.5,
        "frequency_penalty": 2,
        "seed": -(2**63),
        "max_completion_tokens": 64,
        "stop": ["END", "\n\n"],
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "reasoning_effort": "minimal",
        "user": "somebody",
        "logit_bias": {"50256": -100},
        "metadata": {"a field": "that we do not know"},
    }

    await client.chat.completions.create(model="openai", messages=TURNS, extra_body=given)

    sent = upstream.requests[0].document
    assert sent == {**given, "model": "upstream-model", "messages": TURNS}


async def test_knobs_that_a_model_lacks_are_named_in_a_header(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.with_raw_response.create(
        model="chaos/echo", messages=TURNS, temperature=0.5, reasoning_effort="high", seed=7
    )

    assert answer.headers["x-dropped-params"].split(", ") == ["temperature", "reasoning_effort"]


async def test_logprobs_that_a_model_lacks_are_named_in_a_header(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.with_raw_response.create(
        model="chaos/echo", messages=TURNS, logprobs=True
    )

    assert "logprobs" in answer.headers["x-dropped-params"]


async def test_logprobs_come_with_their_words(client: AsyncOpenAI, upstream: FakeUpstream) -> None:
    entry = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    said = {"role": "assistant", "content": "Hi"}
    choice = {"index": 0, "logprobs": {"content": [entry]}, "finish_reason": "stop"}
    shared = {"id": "chatcmpl-1", "created": 1, "model": "m"}
    whole_reply = shared | {"object": "chat.completion", "choices": [choice | {"message": said}]}
    chunk = shared | {"object": "chat.completion.chunk", "choices": [choice | {"delta": said}]}
    upstream.will(body(orjson.dumps(whole_reply)), chunks(chunk))

    whole = await client.chat.completions.create(model="openai", messages=TURNS, logprobs=True)
    streamed = await chunks_of(client, "openai", logprobs=True)

    for logprobs in (whole.choices[0].logprobs, streamed[0].choices[0].logprobs):
        assert logprobs is not None
        assert logprobs.content is not None
        assert (logprobs.content[0].token, logprobs.content[0].logprob) == ("Hi", -0.5)


@pytest.mark.parametrize("model", ["openai", "chaos/reasoning+say:42"])
async def test_reasoning_comes_beside_the_answer(
    client: AsyncOpenAI, upstream: FakeUpstream, model: str
) -> None:
    upstream.default = reply("42", reasoning="six times seven")

    whole = (await client.chat.completions.create(model=model, messages=TURNS)).choices[0].message
    streamed = await chunks_of(client, model)

    thought = "".join(
        getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in streamed
    )
    assert whole.content == text_of(streamed) == "42"
    assert thought
    assert thought == getattr(whole, "reasoning_content", None)


async def test_a_refusal_is_a_refusal(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="chaos/refuse", messages=TURNS)
    streamed = await chunks_of(client, "chaos/refuse")

    assert whole.choices[0].message.content is None
    assert whole.choices[0].message.refusal == "I was told to refuse this."
    refused = "".join(chunk.choices[0].delta.refusal or "" for chunk in streamed)
    assert refused == whole.choices[0].message.refusal


async def test_usage_keeps_what_the_upstream_counted(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    upstream.default = reply("hello", usage=Tokens(100, 50, cached=80, reasoning=30))

    whole = (await client.chat.completions.create(model="openai", messages=TURNS)).usage
    streamed = (await chunks_of(client, "openai", stream_options={"include_usage": True}))[-1].usage

    for usage in (whole, streamed):
        assert usage is not None
        assert usage.prompt_tokens_details is not None
        assert usage.completion_tokens_details is not None
        assert (usage.prompt_tokens, usage.completion_tokens) == (100, 50)
        assert usage.prompt_tokens_details.cached_tokens == 80
        assert usage.completion_tokens_details.reasoning_tokens == 30


async def test_a_caller_that_leaves_a_stream_frees_the_upstream(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    upstream.will(stream("one ", "two", hold=asyncio.Event()))

    async with await client.chat.completions.create(
        model="openai", messages=TURNS, stream=True
    ) as answer:
        first = await anext(aiter(answer))
    await upstream.wait_abandoned()

    assert text_of([first]) == "one "
