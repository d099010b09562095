"""Answers that are kept, through the socket: who gets which, as what, and what it counts."""

import base64
from typing import Any

import pytest
from openai import AsyncOpenAI

from gateway.schema.usage import Usage
from gateway.testing.clock import ManualClock
from gateway.testing.upstream import (
    FakeUpstream,
    Tokens,
    error_in_stream,
    reply,
    status,
    stream,
    tool_call,
    truncated,
)
from tests.contract.asking import Asker, Reply
from tests.contract.conftest import Begin
from tests.contract.test_ledger import entries_of

TARGETS = [{"provider": "up", "model": "upstream-model"}]
CACHED = {"openai": {"targets": TARGETS, "cache": {"ttl_s": 60}}}
WORDS = "/api/generate_response?user_input=hi&seed=7"


@pytest.fixture
def clock() -> ManualClock:
    """The gateway's time."""
    return ManualClock()


@pytest.fixture
async def caller(begin: Begin, clock: ManualClock) -> Asker:
    """Somebody who calls a gateway whose model `openai` has a cache."""
    return await begin(models=CACHED, clock=clock)


def caches(*answers: Reply) -> list[str | None]:
    """Return what the answers say of the cache."""
    return [answer.headers.get("X-Cache") for answer in answers]


async def test_the_second_of_two_equal_requests_is_answered_from_the_cache(
    caller: Asker, upstream: FakeUpstream, clock: ManualClock
) -> None:
    first = await caller.chat(seed=1)
    clock.advance(30)

    second = await caller.chat(seed=1)

    assert caches(first, second) == ["MISS", "HIT"]
    assert len(upstream.attempts) == 1
    assert second.body == first.body
    assert second.headers["Age"] == "30"
    for name in ("X-Model", "X-Provider", "Content-Type"):
        assert second.headers[name] == first.headers[name]
    assert "Age" not in first.headers


async def test_what_a_guard_found_something_in_is_not_kept(
    begin: Begin, upstream: FakeUpstream
) -> None:
    rules = {"output": [{"name": "greeting", "pattern": "hello", "action": "redact"}]}
    model = {**CACHED["openai"], "guards": rules}
    caller = await begin(models={"openai": model})
    upstream.default = reply("hello")

    answers = [await caller.chat(seed=1) for _ in range(2)]

    assert caches(*answers) == ["MISS", "MISS"]
    assert [one.headers["X-Guards"] for one in answers] == ["greeting", "greeting"]


async def test_a_call_with_wishes_is_neither_kept_nor_answered_from_the_cache(
    caller: Asker, upstream: FakeUpstream
) -> None:
    await caller.chat(seed=1)

    wished = await caller.chat(seed=1, dynagate={"only": ["up"]})

    assert caches(wished) == ["BYPASS"]
    assert len(upstream.attempts) == 2


async def test_an_answer_is_good_for_as_long_as_its_model_says(
    caller: Asker, upstream: FakeUpstream, clock: ManualClock
) -> None:
    await caller.chat(seed=1)
    clock.advance(61)

    late = await caller.chat(seed=1)

    assert caches(late) == ["MISS"]
    assert len(upstream.attempts) == 2


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, "BYPASS"),
        ({"temperature": 0.5}, "BYPASS"),
        ({"temperature": 0}, "HIT"),
        ({"temperature": 0.5, "seed": 3}, "HIT"),
    ],
)
async def test_only_what_can_be_repeated_is_kept(
    caller: Asker, fields: dict[str, Any], found: str
) -> None:
    await caller.chat(**fields)

    again = await caller.chat(**fields)

    assert caches(again) == [found]


@pytest.mark.parametrize(
    "other",
    [{"seed": 2}, {"seed": 1, "max_tokens": 9}, {"seed": 1, "user": "me"}, {"seed": 1, "x": [1]}],
)
async def test_whoever_asks_something_else_is_answered_anew(
    caller: Asker, other: dict[str, Any]
) -> None:
    await caller.chat(seed=1)

    assert caches(await caller.chat(**other), await caller.chat("ho", seed=1)) == ["MISS", "MISS"]


async def test_the_order_of_fields_does_not_matter(caller: Asker) -> None:
    turn = [{"role": "user", "content": "hi"}]
    await caller.post("/v1/chat/completions", {"model": "openai", "messages": turn, "seed": 1})

    again = await caller.post(
        "/v1/chat/completions", {"seed": 1, "messages": turn, "model": "openai"}
    )

    assert caches(again) == ["HIT"]


async def test_a_model_without_a_cache_says_nothing_of_one(begin: Begin) -> None:
    caller = await begin()

    answers = [await caller.chat(seed=1) for _ in range(2)]

    assert caches(*answers) == [None, None]


@pytest.mark.parametrize("is_usage_wanted", [False, True])
async def test_a_stream_is_replayed_as_the_stream_it_was(
    caller: Asker, upstream: FakeUpstream, *, is_usage_wanted: bool
) -> None:
    upstream.will(stream("one ", "two", usage=Tokens(3, 2)))
    fields: dict[str, Any] = {"seed": 1, "stream": True}
    if is_usage_wanted:
        fields["stream_options"] = {"include_usage": True}
    first = await caller.chat(**fields)

    second = await caller.chat(**fields)

    assert caches(first, second) == ["MISS", "HIT"]
    assert second.body == first.body
    assert second.is_done
    assert any(chunk.get("usage") for chunk in second.chunks) == is_usage_wanted


async def test_a_kept_stream_tells_its_usage_to_who_asks_for_it(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(stream("one ", "two", usage=Tokens(3, 2)))
    await caller.chat(seed=1, stream=True)

    second = await caller.chat(seed=1, stream=True, stream_options={"include_usage": True})

    assert caches(second) == ["HIT"]
    assert second.words == "one two"
    assert second.chunks[-1]["usage"]["total_tokens"] == 5


async def test_a_whole_answer_serves_a_stream(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(reply("one two"))
    await caller.chat(seed=1)

    streamed = await caller.chat(seed=1, stream=True)

    assert caches(streamed) == ["HIT"]
    assert (streamed.words, streamed.is_done) == ("one two", True)


async def test_a_stream_serves_a_whole_answer(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(stream("one ", "two", usage=Tokens(3, 2)))
    await caller.chat(seed=1, stream=True)

    whole = await caller.chat(seed=1)

    assert caches(whole) == ["HIT"]
    assert whole.json()["choices"][0]["message"]["content"] == "one two"
    assert whole.json()["usage"]["total_tokens"] == 5


async def test_tool_calls_survive_from_a_stream_to_a_whole_answer(
    caller: Asker, upstream: FakeUpstream
) -> None:
    tools = [{"type": "function", "function": {"name": "weather"}}]
    upstream.will(tool_call("weather", {"city": "Oslo"}))
    await caller.chat(seed=1, stream=True, tools=tools)

    whole = await caller.chat(seed=1, tools=tools)

    assert caches(whole) == ["HIT"]
    (choice,) = whole.json()["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "weather"


async def test_words_by_url_are_kept_as_meaning(caller: Asker, upstream: FakeUpstream) -> None:
    first = await caller.get(WORDS)

    second = await caller.get(WORDS)
    streamed = await caller.get(f"{WORDS}&stream=true")

    assert caches(first, second, streamed) == ["MISS", "HIT", "HIT"]
    assert first.text == second.text == streamed.words == "hello"
    assert streamed.is_done
    assert len(upstream.attempts) == 1


async def test_words_by_url_without_a_seed_are_new_each_time(caller: Asker) -> None:
    path = "/api/generate_response?user_input=hi&temperature=0"

    assert caches(await caller.get(path), await caller.get(path)) == ["BYPASS", "BYPASS"]


async def test_a_private_request_neither_reads_nor_writes(
    caller: Asker, upstream: FakeUpstream
) -> None:
    private = f"{WORDS}&private=true"
    await caller.get(private)
    await caller.get(WORDS)

    answered = await caller.get(private)

    assert caches(answered) == ["BYPASS"]
    assert len(upstream.attempts) == 3


async def test_pictures_are_kept_as_pictures(begin: Begin) -> None:
    painter = {"provider": "here", "model": "painter"}
    models = {"painter": {"targets": [painter], "cache": {}}}
    caller = await begin(models=models, more={"here": {"kind": "local"}})
    request = {"model": "painter", "prompt": "a cat", "seed": 5, "size": "64x64"}
    asked = {**request, "response_format": "b64_json"}

    first = await caller.post("/v1/images/generations", asked)
    second = await caller.post("/v1/images/generations", asked)
    address = await caller.post("/v1/images/generations", {**request, "response_format": "url"})

    assert caches(first, second, address) == ["MISS", "HIT", "HIT"]
    assert second.json()["data"] == first.json()["data"]
    (entry, *_) = address.json()["data"]
    shown = await caller.get(entry["url"].removeprefix(caller.gateway.url))
    assert shown.body == base64.b64decode(first.json()["data"][0]["b64_json"])


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"Cache-Control": "no-store"}, "BYPASS"),
        ({"Cache-Control": "no-cache"}, "BYPASS"),
        ({"Cache-Control": "max-age=0"}, "BYPASS"),
        ({"Cache-Control": "max-age=29"}, "MISS"),
        ({"Cache-Control": "max-age=many"}, "BYPASS"),
        ({"Cache-Control": "private, MAX-AGE=30"}, "HIT"),
        ({"Cache-Control": "min-fresh=31"}, "MISS"),
        ({"Cache-Control": "min-fresh=30"}, "HIT"),
        ({"Cache-Control": "max-stale"}, "HIT"),
        ({"Pragma": "no-cache"}, "BYPASS"),
    ],
)
async def test_what_the_request_says_of_caches_is_kept_to(
    caller: Asker, clock: ManualClock, said: dict[str, str], found: str
) -> None:
    document = {"model": "openai", "seed": 1, "messages": [{"role": "user", "content": "hi"}]}
    await caller.post("/v1/chat/completions", document)
    clock.advance(30)

    answered = await caller.ask("POST", "/v1/chat/completions", json=document, headers=said)

    assert caches(answered) == [found]


async def test_a_new_answer_replaces_the_kept_one_but_no_store_leaves_none(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(reply("old"), reply("new"), reply("secret"))
    document = {"model": "openai", "seed": 1, "messages": [{"role": "user", "content": "hi"}]}
    await caller.post("/v1/chat/completions", document)

    await caller.post("/v1/chat/completions", document, Cache_Control="no-cache")
    await caller.post("/v1/chat/completions", document, Cache_Control="no-store")

    again = await caller.post("/v1/chat/completions", document)
    assert again.json()["choices"][0]["message"]["content"] == "new"


@pytest.mark.parametrize(
    "answer",
    [
        status(500, "broken"),
        truncated(),
        reply("cut", finish="length"),
        reply("no", finish="content_filter"),
        stream("cut", finish="length"),
        error_in_stream("half", message="broken"),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_is_not_a_whole_good_answer_is_not_kept(
    caller: Asker, upstream: FakeUpstream, answer: Any, *, is_stream: bool
) -> None:
    upstream.will(answer)
    await caller.chat(seed=1, stream=is_stream)

    again = await caller.chat(seed=1, stream=is_stream)

    assert caches(again) == ["MISS"]
    assert again.status == 200


async def test_an_answer_that_is_as_long_as_its_caller_wanted_is_kept(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(reply("cut", finish="length"))
    await caller.chat(seed=1, max_tokens=1)

    assert caches(await caller.chat(seed=1, max_tokens=1)) == ["HIT"]


async def test_what_is_larger_than_allowed_is_not_kept(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=CACHED, cache={"answer_bytes": 2048})
    upstream.will(reply("x" * 4096), stream(*["x" * 100] * 50))

    answers = [await caller.chat(seed=1, stream=is_stream) for is_stream in (False, True)]

    assert caches(*answers) == ["MISS", "MISS"]
    assert caches(await caller.chat(seed=1)) == ["MISS"]


async def test_a_hit_is_a_row_that_costs_nothing(begin: Begin, upstream: FakeUpstream) -> None:
    priced = [{**TARGETS[0], "card": {"price": {"input": 1000, "output": 1000}}}]
    caller = await begin(models={"openai": {"targets": priced, "cache": {}}})
    upstream.will(reply("hello", usage=Tokens(10, 20)))
    await caller.chat(seed=1)

    hit = await caller.chat(seed=1)

    first, second = entries_of(caller)
    assert (first.cache, first.cost_usd_micros) == ("miss", 30_000)
    assert second.request_id == hit.headers["X-Request-Id"]
    assert (second.cache, second.status, second.cost_usd_micros) == ("hit", 200, 0)
    assert (second.usage, second.attempts, second.target) == (Usage(), 0, "")
    metrics = (await caller.ask("GET", "/metrics", is_admin=True)).text
    assert 'dynagate_cache_calls_total{model="openai",result="hit"} 1.0' in metrics
    assert '"path":"cache"' in caller.gateway.lines()
    assert '"cache":"hit"' in caller.gateway.lines()


async def test_a_hit_counts_as_a_request(begin: Begin) -> None:
    caller = await begin(models=CACHED, limits={"anonymous": {"requests": "2/hour"}})

    answers = [await caller.chat(seed=1) for _ in range(3)]

    assert [one.status for one in answers] == [200, 200, 429]
    assert [one.headers["X-RateLimit-Remaining"] for one in answers] == ["1", "0", "0"]


async def test_other_targets_have_other_answers(begin: Begin, upstream: FakeUpstream) -> None:
    models = {
        "one": {"targets": TARGETS, "cache": {}, "aliases": ["uno"]},
        "two": {"targets": TARGETS, "cache": {}},
    }
    caller = await begin(models=models)
    await caller.chat(model="one", seed=1)

    answers = [await caller.chat(model=name, seed=1) for name in ("uno", "two")]

    assert caches(*answers) == ["HIT", "MISS"]


async def test_each_model_of_a_family_has_answers_of_its_own(begin: Begin) -> None:
    family = {"targets": [{"provider": "up", "model": "*"}], "cache": {}}
    caller = await begin(models={"gpt-*": family})
    names = ["gpt-a", "gpt-b", "gpt-a"]

    answers = [await caller.chat(model=name, seed=1) for name in names]

    assert caches(*answers) == ["MISS", "MISS", "HIT"]
    assert answers[2].headers["X-Model"] == "gpt-a"


async def test_the_openai_client_sees_no_difference(caller: Asker) -> None:
    url = f"{caller.gateway.url}/v1"
    async with AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
        said = []
        for _ in range(2):
            chunks = await client.chat.completions.create(
                model="openai", messages=[{"role": "user", "content": "hi"}], seed=1, stream=True
            )
            said.append([chunk.choices[0].delta.content async for chunk in chunks])

    assert said[0] == said[1]
    assert "".join(filter(None, said[0])) == "hello"
