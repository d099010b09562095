"""What guards do with requests and answers, through the socket."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import openai
import pytest
from aiohttp import ClientSession

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream, reply, stream, tool_call
from tests.contract.asking import Asker, Reply, assert_refused, newest_in_feed
from tests.contract.conftest import Begin
from tests.docs.pages import blocks, page, section
from tests.running import run_gateway

UP = [{"provider": "up", "model": "upstream-model"}]
WORD = "sk-abcd1234"
BLOCK = {"pattern": r"sk-[a-z0-9]{8}", "name": "keys"}
REDACT = {**BLOCK, "action": "redact", "replace": "[key]"}
FLAG = {**BLOCK, "action": "flag"}


def model(**guards: Any) -> JsonObject:
    """Return a `models` section whose `openai` has these guards."""
    return {"openai": {"targets": UP, "guards": guards}}


def generate(text: str, **fields: object) -> str:
    """Return the path of a GET."""
    more = "".join(f"&{name}={value}" for name, value in fields.items())
    return f"/api/generate_response?user_input={quote(text)}{more}"


def finishes(answer: Reply) -> list[str]:
    """Return how the choices of a stream ended."""
    choices = [choice for chunk in answer.chunks for choice in chunk.get("choices", ())]
    return [choice["finish_reason"] for choice in choices if choice["finish_reason"]]


PLACES: list[tuple[str, JsonObject, str | None]] = [
    (
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": f"a {WORD}."}]},
        "messages[0].content",
    ),
    (
        "/v1/chat/completions",
        {"messages": [{"role": "system", "content": [{"type": "text", "text": f"a {WORD}."}]}]},
        "messages[0].content[0].text",
    ),
    (
        "/v1/chat/completions",
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": "1",
                            "type": "function",
                            "function": {"name": "f", "arguments": f'{{"a": "{WORD}"}}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "1", "content": "ok"},
            ]
        },
        "messages[0].tool_calls[0].function.arguments",
    ),
    ("/v1/completions", {"prompt": f"a {WORD}."}, "prompt"),
    ("/v1/completions", {"prompt": ["b", f"a {WORD}."]}, "prompt[1]"),
    ("/v1/embeddings", {"input": [f"a {WORD}."]}, "input[0]"),
    ("/v1/moderations", {"input": f"a {WORD}."}, None),
    ("/v1/images/generations", {"prompt": f"a {WORD}."}, None),
    ("/v1/audio/speech", {"input": f"a {WORD}.", "voice": "alloy"}, None),
    ("/api/generate_response", {"user_input": f"a {WORD}."}, None),
    ("/api/generate_response", {"user_input": "hi", "system": f"a {WORD}."}, None),
]


@pytest.mark.parametrize(("path", "document", "place"), PLACES)
async def test_a_blocked_request_names_the_guard_and_reaches_nobody(
    begin: Begin, upstream: FakeUpstream, path: str, document: JsonObject, place: str | None
) -> None:
    caller = await begin(models=model(input=[BLOCK]))

    refused = await caller.post(path, {"model": "openai", **document})

    error = assert_refused(refused, 400, "content_filter")
    assert error["param"] == place
    assert error["details"] == {"guard": "keys"}
    assert "keys" in error["message"]
    assert refused.headers["X-Guards"] == "keys"
    assert upstream.requests == []
    assert WORD not in refused.text
    line = json.loads(caller.gateway.lines().splitlines()[-1])
    assert (line["guards"], line["code"]) == (["keys"], "content_filter")
    assert WORD not in caller.gateway.lines()


@pytest.mark.parametrize(("path", "document"), [(path, document) for path, document, _ in PLACES])
async def test_redacted_words_are_not_sent(
    begin: Begin, upstream: FakeUpstream, path: str, document: JsonObject
) -> None:
    able = {"card": {"output_modalities": ["text", "image", "audio", "embedding", "moderation"]}}
    target, guards = {**UP[0], **able}, {"input": [REDACT]}
    caller = await begin(models={"openai": {"targets": [target], "guards": guards}})

    answer = await caller.post(path, {"model": "openai", **document})

    assert answer.headers["X-Guards"] == "keys", answer.body
    (sent,) = upstream.requests
    assert WORD not in sent.body.decode()
    assert "[key]" in sent.body.decode()


async def test_an_input_guard_leaves_the_fast_path_alone(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(input=[FLAG, {"pattern": "never"}]))

    answer = await caller.chat(f"a {WORD}", odd_field=1)

    assert answer.status == 200
    assert answer.headers["X-Guards"] == "keys"
    assert upstream.requests[-1].document["messages"][0]["content"] == f"a {WORD}"
    assert upstream.requests[-1].document["odd_field"] == 1
    assert '"path":"forward"' in caller.gateway.lines()


async def test_a_place_is_told_as_the_caller_counts(begin: Begin) -> None:
    rules = {"transforms": {"system_prefix": "Be kind."}, "guards": {"input": [BLOCK]}}
    caller = await begin(models={"openai": {"targets": UP, **rules}})

    refused = await caller.chat(WORD)

    assert_refused(refused, 400, "content_filter", "messages[0].content")


async def test_a_message_of_the_operators_own_is_what_the_caller_reads(begin: Begin) -> None:
    caller = await begin(models=model(input=[{**BLOCK, "message": "Keep your keys."}]))

    refused = await caller.chat(WORD)

    assert assert_refused(refused, 400, "content_filter")["message"] == "Keep your keys."


async def test_tokens_cannot_be_looked_through(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(models=model(input=[FLAG]))

    prompt = await caller.post("/v1/completions", {"model": "openai", "prompt": [[1, 2]]})
    vectors = await caller.post("/v1/embeddings", {"model": "openai", "input": [1, 2]})

    assert_refused(prompt, 400, "unsupported_feature", "prompt")
    assert_refused(vectors, 400, "unsupported_feature", "input")
    assert upstream.requests == []


@pytest.mark.parametrize("odd", [5, None, [1], {"a": 1}, "text"])
async def test_fields_of_other_formats_are_no_matter(
    begin: Begin, upstream: FakeUpstream, odd: object
) -> None:
    rules = {"transforms": {"system_prefix": "Be kind."}, "guards": {"input": [BLOCK]}}
    caller = await begin(models={"openai": {"targets": UP, **rules}})

    chat = await caller.chat("hi", prompt=odd, input=odd, suffix=odd)
    completion = {"model": "openai", "prompt": "hi", "messages": odd, "input": odd}
    plain = await caller.post("/v1/completions", completion)

    assert (chat.status, plain.status) == (200, 200)
    assert len(upstream.requests) == 2


async def test_a_blocked_request_counts_but_costs_nothing(begin: Begin) -> None:
    caller = await begin(models=model(input=[BLOCK]))

    refused = await caller.chat(WORD)
    again = await caller.chat("hi")

    left = [int(one.headers["X-RateLimit-Remaining"]) for one in (refused, again)]
    assert left[0] - left[1] == 1


async def test_a_whole_answer_that_is_blocked_ends_as_openai_says_it(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(output=[BLOCK]))
    upstream.will(reply(f"it is {WORD}"), reply(f"it is {WORD}"))

    answer = await caller.chat("hi")
    plain = await caller.get(generate("hi"))

    (choice,) = answer.json()["choices"]
    assert (answer.status, choice["finish_reason"]) == (200, "content_filter")
    assert not choice["message"]["content"]
    assert_refused(plain, 400, "content_filter")
    for one in (answer, plain):
        assert one.headers["X-Guards"] == "keys"
        assert WORD not in one.text
    assert WORD not in caller.gateway.lines()


@pytest.mark.parametrize("is_split", [False, True])
async def test_a_stream_that_is_blocked_ends_before_the_words(
    begin: Begin, upstream: FakeUpstream, *, is_split: bool
) -> None:
    caller = await begin(models=model(output=[BLOCK], hold_chars=16))
    pieces = list(f"it is {WORD} and more") if is_split else ["it is ", WORD, " and more"]
    for path in ("/v1/chat/completions", generate("hi", stream="true")):
        upstream.will(stream(*pieces))
        if path.startswith("/v1"):
            answer = await caller.chat("hi", stream=True)
        else:
            answer = await caller.get(path)

        assert (answer.status, answer.words, finishes(answer)) == (
            200,
            "it is ",
            ["content_filter"],
        )
        assert answer.is_done
        assert WORD not in answer.text


async def test_a_stream_is_redacted_wherever_its_pieces_are_cut(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(output=[REDACT], hold_chars=16))
    text = f"it is {WORD}, again {WORD}."
    for size in (1, 3, 50):
        upstream.will(stream(*(text[at : at + size] for at in range(0, len(text), size))))

        answer = await caller.chat("hi", stream=True, stream_options={"include_usage": True})

        assert answer.words == "it is [key], again [key]."
        assert finishes(answer) == ["stop"]


async def test_a_redacted_whole_answer_keeps_its_other_words(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(output=[REDACT]))
    upstream.will(*[reply(f"it is {WORD}.", reasoning=f"say {WORD}?")] * 3)

    answer = await caller.chat("hi")
    plain = await caller.get(generate("hi"))
    completion = await caller.post("/v1/completions", {"model": "openai", "prompt": "hi"})

    message = answer.json()["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("it is [key].", "say [key]?")
    assert plain.text == "it is [key]."
    assert completion.json()["choices"][0]["text"] == "it is [key]."
    assert answer.json()["usage"]["completion_tokens"] > 0


@pytest.mark.parametrize("is_stream", [False, True])
async def test_reasoning_and_tool_arguments_are_looked_through(
    begin: Begin, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    caller = await begin(models=model(output=[REDACT]))
    upstream.will(reply("ok", reasoning=f"use {WORD} now"), tool_call("f", {"key": WORD}))
    tools = [{"type": "function", "function": {"name": "f"}}]

    thought = await caller.chat("hi", stream=is_stream)
    called = await caller.chat("hi", stream=is_stream, tools=tools)

    for answer in (thought, called):
        assert answer.status == 200
        assert WORD not in answer.text
    if is_stream:
        deltas = [one["delta"] for chunk in called.chunks for one in chunk["choices"]]
        calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
        arguments = "".join(call["function"]["arguments"] for call in calls)
        assert "[key]" in "".join(
            one["delta"].get("reasoning_content", "")
            for chunk in thought.chunks
            for one in chunk["choices"]
        )
    else:
        call = called.json()["choices"][0]["message"]["tool_calls"][0]
        arguments = call["function"]["arguments"]
    assert json.loads(arguments) == {"key": "[key]"}


async def test_tokens_that_were_thought_of_are_not_told(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(output=[FLAG]))

    answer = await caller.chat("hi", logprobs=True, top_logprobs=2)

    assert upstream.requests[-1].document.keys().isdisjoint({"logprobs", "top_logprobs"})
    assert answer.headers["X-Dropped-Params"] == "logprobs, top_logprobs"


async def test_what_a_guard_found_something_in_is_in_no_feed(
    begin: Begin, upstream: FakeUpstream
) -> None:
    rude = {"pattern": "rude", "action": "flag", "name": "rude"}
    caller = await begin(models=model(input=[REDACT], output=[rude]), feeds={"enabled": True})
    upstream.will(reply("hello"), reply("a rude word"))

    await caller.get(generate(f"my {WORD}"))
    await caller.get(generate("say something"))
    await caller.get(generate("fine"))

    assert b"fine" in await newest_in_feed(caller)


async def test_the_metrics_count_calls_by_guard(begin: Begin) -> None:
    caller = await begin(models=model(input=[FLAG]))

    await caller.chat(WORD)

    scraped = await caller.ask("GET", "/metrics", is_admin=True)
    wanted = 'dynagate_guarded_calls_total{action="flag",guard="keys",model="openai"} 1.0'
    assert wanted in scraped.text


async def test_a_long_text_that_others_would_choke_on_is_answered(begin: Begin) -> None:
    caller = await begin(models=model(input=[{"pattern": r"(a+)+!"}, {"pattern": "(x.*y)|z!"}]))

    answer = await caller.chat("a" * 500_000 + "x" * 500_000)

    assert answer.status == 200


async def test_the_openai_client_sees_a_filtered_answer_and_a_refusal(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=model(input=[BLOCK], output=[{"pattern": "hello"}]))
    client = openai.AsyncOpenAI(base_url=f"{caller.gateway.url}/v1", api_key="any")

    async with client:
        made = await client.chat.completions.create(
            model="openai", messages=[{"role": "user", "content": "hi"}]
        )
        streamed = await client.chat.completions.create(
            model="openai", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        ends = [chunk.choices[0].finish_reason async for chunk in streamed]
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(
                model="openai", messages=[{"role": "user", "content": WORD}]
            )

    assert made.choices[0].finish_reason == "content_filter"
    assert ends[-1] == "content_filter"
    assert refused.value.code == "content_filter"


async def test_the_example_of_the_page_does_what_it_says(
    upstream: FakeUpstream, tmp_path: Path
) -> None:
    (example,) = blocks(section(page("docs/guards.md"), "Guards"), "yaml")
    provider = f"providers: {{a: {{kind: openai, settings: {{base_url: {upstream.url}/v1}}}}}}\n"
    upstream.will(reply("Call me: +49 30 1234567."))

    async with run_gateway(provider + example, tmp_path) as gateway, ClientSession() as session:
        caller = Asker(session, gateway)
        refused = await caller.chat("my card is 4111 1111 1111 1111", model="careful")
        answer = await caller.chat("my mail is a@example.com", model="careful")

    assert "card numbers" in assert_refused(refused, 400, "content_filter")["message"]
    assert "a@example.com" not in upstream.requests[-1].body.decode()
    assert answer.json()["choices"][0]["message"]["content"] == "Call me: [phone]."
    assert answer.headers["X-Guards"] == "mail, phone"
