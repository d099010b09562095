"""Section 6: chat completions as OpenAI's callers know them."""

import json

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream, body, chunks, empty, reply, stream, tool_call
from tests.contract.asking import Asker, assert_refused, heard
from tests.contract.conftest import Begin

TOOL: JsonObject = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}
FIELDS: JsonObject = {
    "temperature": 2,
    "top_p": 0,
    "presence_penalty": -2,
    "frequency_penalty": 2,
    "n": 1,
    "seed": -(2**63),
    "max_tokens": 1,
    "max_completion_tokens": 5,
    "logprobs": True,
    "top_logprobs": 20,
    "stop": ["a", "b"],
    "user": "somebody",
    "reasoning_effort": "low",
    "tools": [TOOL],
    "tool_choice": "required",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
    "logit_bias": {"50256": -100},
    "metadata": {"a": "b"},
    "x_unknown": {"deep": [1, 2.5, None, "\U0001f642"]},
}
ENDS = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2.0, 2.0),
    "n": (1, 128),
    "seed": (-(2**63), 2**63 - 1),
    "max_tokens": (1, 10_000_000),
    "stop": ("a", ["a"] * 16),
}


async def test_a_chat_goes_through_with_the_targets_model_and_nothing_else_changed(
    caller: Asker, upstream: FakeUpstream
) -> None:
    answer = await caller.chat(**FIELDS)

    assert answer.status == 200
    turns = [{"role": "user", "content": "hi"}]
    assert heard(upstream) == {"model": "upstream-model", "messages": turns, **FIELDS}


async def test_the_reply_is_the_upstreams_bytes(caller: Asker, upstream: FakeUpstream) -> None:
    said = b'{ "choices":[{"message":{"content":"hi \\u00fc"}}],  "x": [1.50, -0.0] }'

    upstream.will(body(said))

    answer = await caller.chat()

    assert answer.body == said
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "private, no-store"


async def test_a_reply_names_the_upstreams_model_and_headers_name_ours(
    caller: Asker, upstream: FakeUpstream
) -> None:
    whole = await caller.chat()
    streamed = await caller.chat(stream=True)
    family = await caller.chat(model="up-special")

    assert whole.json()["model"] == "upstream-model"
    assert {chunk["model"] for chunk in streamed.chunks} == {"upstream-model"}
    assert whole.headers["X-Model"] == streamed.headers["X-Model"] == "openai"
    assert whole.headers["X-Provider"] == streamed.headers["X-Provider"] == "up"
    assert (family.headers["X-Model"], upstream.attempts[-1]) == ("up-special", "up-special")


@pytest.mark.parametrize("name", ENDS)
async def test_both_ends_of_openais_ranges_pass(
    caller: Asker, upstream: FakeUpstream, name: str
) -> None:
    for value in ENDS[name]:
        answer = await caller.chat(**{name: value})

        assert answer.status == 200
        assert heard(upstream)[name] == value


async def test_null_fields_pass(caller: Asker, upstream: FakeUpstream) -> None:
    answer = await caller.chat(**dict.fromkeys(FIELDS))

    assert answer.status == 200


@pytest.mark.parametrize("model", ["openai", "chaos/tool"])
async def test_tools_are_called(caller: Asker, upstream: FakeUpstream, model: str) -> None:
    upstream.default = tool_call("get_weather", {})

    whole = await caller.chat(model=model, tools=[TOOL])
    streamed = await caller.chat(model=model, tools=[TOOL], stream=True)

    call = whole.json()["choices"][0]["message"]["tool_calls"][0]
    assert call["function"] == {"name": "get_weather", "arguments": "{}"}
    assert whole.json()["choices"][0]["finish_reason"] == "tool_calls"
    deltas = [chunk["choices"][0]["delta"] for chunk in streamed.chunks]
    calls = [delta["tool_calls"][0] for delta in deltas if delta.get("tool_calls")]
    assert calls[0]["function"]["name"] == "get_weather"
    assert "".join(call["function"].get("arguments", "") for call in calls) == "{}"
    assert streamed.is_done


@pytest.mark.parametrize(
    "choice",
    ["none", "auto", "required", {"type": "function", "function": {"name": "get_weather"}}],
)
async def test_every_tool_choice_passes(
    caller: Asker, upstream: FakeUpstream, choice: object
) -> None:
    answer = await caller.chat(tools=[TOOL], tool_choice=choice)

    assert answer.status == 200
    assert heard(upstream)["tool_choice"] == choice


async def test_a_tools_result_is_a_turn(caller: Asker, upstream: FakeUpstream) -> None:
    function = {"name": "get_weather", "arguments": "{}"}
    turns = [
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]

    passed = await caller.chat(messages=turns)
    events = await caller.chat(model="chaos/tool", messages=turns, tools=[TOOL])

    assert passed.status == 200
    assert heard(upstream)["messages"] == turns
    assert events.json()["choices"][0]["message"]["content"] == "sunny"


@pytest.mark.parametrize(
    "url",
    ["https://example.org/cat.jpg", "http://example.org/cat.jpg", "data:image/png;base64,AAAA"],
)
async def test_pictures_pass_to_a_host_that_fetches_them_itself(
    begin: Begin, upstream: FakeUpstream, url: str
) -> None:
    target = {"provider": "up", "model": "x", "card": {"fetches_links": True}}
    caller = await begin(models={"openai": {"targets": [target]}})
    parts = [
        {"type": "text", "text": "what is it?"},
        {"type": "image_url", "image_url": {"url": url, "detail": "low"}},
    ]

    answer = await caller.chat(messages=[{"role": "user", "content": parts}])

    assert answer.status == 200
    assert heard(upstream)["messages"][0]["content"] == parts


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/x", "//h/x", "javascript:1", "HTTP"]
)
async def test_only_http_https_and_data_urls_pass(
    caller: Asker, upstream: FakeUpstream, url: str
) -> None:
    parts = [{"type": "image_url", "image_url": {"url": url}}]

    refused = await caller.chat(messages=[{"role": "user", "content": parts}])

    assert_refused(refused, 400, "invalid_parameter")
    assert upstream.requests == []


async def test_sound_passes_to_a_target_that_hears(caller: Asker, upstream: FakeUpstream) -> None:
    parts = [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}]

    answer = await caller.chat(messages=[{"role": "user", "content": parts}])

    assert answer.status == 200
    assert heard(upstream)["messages"][0]["content"] == parts


@pytest.mark.parametrize("model", ["openai", "chaotic"])
async def test_n_choices_come_whole_and_streamed(
    caller: Asker, upstream: FakeUpstream, model: str
) -> None:
    whole = await caller.chat(model=model, n=3)
    streamed = await caller.chat(model=model, n=3, stream=True)

    assert [choice["index"] for choice in whole.json()["choices"]] == [0, 1, 2]
    seen = {choice["index"] for chunk in streamed.chunks for choice in chunk["choices"]}
    assert seen == {0, 1, 2}


async def test_answers_without_words_are_answers(caller: Asker, upstream: FakeUpstream) -> None:
    refusal = {"choices": [{"index": 0, "delta": {"refusal": "no"}, "finish_reason": None}]}
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    upstream.will(chunks(refusal, finish), reply("", reasoning="hm"))

    refused = await caller.chat(stream=True)
    reasoned = await caller.chat()

    assert refused.chunks == [refusal, finish]
    assert reasoned.json()["choices"][0]["message"]["reasoning_content"] == "hm"


async def test_knobs_that_are_left_out_are_named_as_the_caller_wrote_them(
    begin: Begin, upstream: FakeUpstream
) -> None:
    target = {"provider": "up", "model": "plain", "card": {"parameters": ["temperature"]}}
    caller = await begin(models={"plain": {"targets": [target]}})
    fields = {"temperature": 1, "max_tokens": 5, "stop": "a", "logprobs": True, "top_logprobs": 1}

    answer = await caller.chat(model="plain", **fields)

    assert answer.status == 200
    assert heard(upstream).keys() == {"model", "messages", "temperature"}
    dropped = set(answer.headers["X-Dropped-Params"].split(", "))
    assert dropped == {"max_tokens", "stop", "logprobs", "top_logprobs"}


async def test_logprobs_that_are_left_out_are_named_by_what_was_said(
    begin: Begin, upstream: FakeUpstream
) -> None:
    target = {"provider": "up", "model": "plain", "card": {"parameters": ["temperature"]}}
    caller = await begin(models={"plain": {"targets": [target]}})
    completion = {"model": "plain", "prompt": "hi", "logprobs": 3}

    chat = await caller.chat(model="plain", logprobs=True)
    plain = await caller.post("/v1/completions", completion)
    unasked = await caller.chat(model="plain", logprobs=False)

    assert chat.headers["X-Dropped-Params"] == "logprobs"
    assert plain.headers["X-Dropped-Params"] == "logprobs"
    assert "X-Dropped-Params" not in unasked.headers


async def test_an_empty_answer_of_one_target_is_answered_by_another(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second)
    upstream.will(empty())
    second.will(stream("words"))

    answer = await caller.chat(stream=True)

    assert answer.words == "words"
    assert json.loads(caller.gateway.lines())["failed_attempts"] == ["up/upstream-model: transient"]
