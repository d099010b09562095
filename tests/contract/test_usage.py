"""Section 8: who gets the usage of a stream, and that it is counted all the same."""

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream, chunks
from tests.contract.asking import Asker


@pytest.mark.parametrize("model", ["openai", "chaotic"])
async def test_the_usage_chunk_comes_only_when_it_is_asked_for(
    caller: Asker, upstream: FakeUpstream, model: str
) -> None:
    options = {"include_usage": True}

    asked = await caller.chat(model=model, stream=True, stream_options=options)
    unasked = await caller.chat(model=model, stream=True)
    declined = await caller.chat(model=model, stream=True, stream_options={"include_usage": False})

    assert asked.chunks[-1]["choices"] == []
    assert asked.chunks[-1]["usage"]["total_tokens"] > 0
    for answer in (unasked, declined):
        assert all(chunk["choices"] for chunk in answer.chunks)
        assert not any(chunk.get("usage") for chunk in answer.chunks)
        assert answer.is_done


async def test_usage_is_accounted_whether_it_is_asked_for_or_not(
    caller: Asker, upstream: FakeUpstream
) -> None:
    await caller.chat(stream=True)
    await caller.chat()

    assert caller.gateway.lines().count('"input_tokens":3,"output_tokens":1') == 2


async def test_a_chunk_with_words_and_usage_passes(caller: Asker, upstream: FakeUpstream) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"index": 0, "delta": {"content": "hi"}, "finish_reason": "stop"}
    upstream.will(chunks({"choices": [choice], "usage": usage}))

    answer = await caller.chat(stream=True)

    assert answer.chunks == [{"choices": [choice], "usage": usage}]


async def test_a_chunk_without_choices_is_taken_out_wherever_it_stands(
    caller: Asker, upstream: FakeUpstream
) -> None:
    # What Azure sends first, and what some hosts send between.
    empty_chunk = {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    nothing: JsonObject = {"choices": [], "usage": None}
    word = {"choices": [{"index": 0, "delta": {"content": '[] "choices":[]'}}], "usage": None}
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    upstream.will(*[chunks(empty_chunk, word, nothing, finish)] * 2)

    unasked = await caller.chat(stream=True)
    asked = await caller.chat(stream=True, stream_options={"include_usage": True})

    assert unasked.chunks == [word, finish]
    assert asked.chunks == [empty_chunk, word, nothing, finish]
