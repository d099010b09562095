"""Generations that several callers share, through the socket."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI

from gateway.testing.actions import Hang, Hold, Send, piece
from gateway.testing.http_wire import LAST_CHUNK
from gateway.testing.openai_documents import frame
from gateway.testing.upstream import (
    FakeUpstream,
    Tokens,
    error_in_stream,
    hang_in_stream,
    reply,
    status,
    stream,
)
from tests.contract.asking import Asker, newest_in_feed
from tests.contract.conftest import Begin
from tests.contract.streaming import FINISH, STREAM_HEAD, word
from tests.contract.test_ledger import entries_of
from tests.web.raw_http import becomes

TARGETS = [{"provider": "up", "model": "upstream-model"}]
SHARED = {"openai": {"targets": TARGETS, "cache": {"ttl_s": 0}}}
MANY = {"anonymous": {"requests": "1000/hour", "concurrent": 100}}
BODY: dict[str, Any] = {
    "model": "openai",
    "seed": 1,
    "stream": True,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.fixture
async def caller(begin: Begin) -> Asker:
    """Somebody who calls a gateway whose model `openai` is shared, and never kept."""
    return await begin(models=SHARED, limits=MANY)


@asynccontextmanager
async def reading(caller: Asker, **fields: Any) -> AsyncIterator[aiohttp.ClientResponse]:
    """Ask for a stream and give the answer once its head is there; leaving hangs up."""
    url = f"{caller.gateway.url}/v1/chat/completions"
    async with aiohttp.ClientSession() as session:
        answer = await session.post(url, json=BODY | fields)
        try:
            yield answer
        finally:
            answer.close()


def under_way(caller: Asker) -> int:
    """Return how many calls the gateway answers now."""
    return caller.gateway.gateway.serving.services.metrics.in_flight


@pytest.mark.parametrize("is_stream", [False, True])
async def test_fifty_who_ask_the_same_at_once_are_answered_by_one_generation(
    caller: Asker, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    go = asyncio.Event()
    answer = reply("one two", usage=Tokens(3, 2))
    upstream.will(lambda request: [Hold(go), *answer(request)])

    asked = [asyncio.ensure_future(caller.chat(seed=1, stream=is_stream)) for _ in range(50)]
    await becomes(lambda: under_way(caller) == 50)
    go.set()
    answers = await asyncio.gather(*asked)

    assert len(upstream.attempts) == 1
    assert len({one.body for one in answers}) == 1
    assert Counter(one.headers["X-Cache"] for one in answers) == {"MISS": 1, "SHARED": 49}
    assert {one.headers["X-Provider"] for one in answers} == {"up"}


async def test_who_shares_has_a_row_that_names_the_owner_and_costs_nothing(
    begin: Begin, upstream: FakeUpstream
) -> None:
    priced = [{**TARGETS[0], "card": {"price": {"input": 1000, "output": 1000}}}]
    caller = await begin(models={"openai": {"targets": priced, "cache": {}}})
    go = asyncio.Event()
    upstream.will(stream("one ", "two", hold=go, usage=Tokens(10, 20)))

    async with reading(caller) as first, reading(caller) as second:
        go.set()
        bodies = await asyncio.gather(first.read(), second.read())

    rows = {entry.request_id: entry for entry in entries_of(caller)}
    owner = rows[first.headers["X-Request-Id"]]
    joined = rows[second.headers["X-Request-Id"]]
    assert bodies[0] == bodies[1]
    assert (owner.cache, owner.shared_with, owner.cost_usd_micros) == ("miss", "", 30_000)
    assert (joined.cache, joined.shared_with) == ("shared", owner.request_id)
    assert (joined.cost_usd_micros, joined.usage.total_out, joined.attempts) == (0, 0, 0)
    assert (joined.status, joined.is_stream, joined.target) == (200, True, "")


async def test_who_comes_late_gets_all_from_the_beginning(
    caller: Asker, upstream: FakeUpstream
) -> None:
    go = asyncio.Event()
    upstream.will(stream("one ", "two", hold=go))

    async with reading(caller) as first:
        begun = await first.content.readuntil(b"\n\n")
        async with reading(caller) as late:
            go.set()
            rest, all_of_it = await asyncio.gather(first.read(), late.read())

    assert late.headers["X-Cache"] == "SHARED"
    assert begun + rest == all_of_it
    assert len(upstream.attempts) == 1


async def test_the_first_may_leave_and_the_others_get_it_all(
    caller: Asker, upstream: FakeUpstream
) -> None:
    go = asyncio.Event()
    upstream.will(stream("one ", "two", hold=go, usage=Tokens(10, 20)))

    async with reading(caller) as first, reading(caller) as second:
        generations = caller.gateway.gateway.serving.services.memory.generations
        assert generations.readers == [2]
        first.close()
        await becomes(lambda: generations.readers == [1])
        go.set()
        body = await second.read()

    assert b"two" in body
    assert body.endswith(b"[DONE]\n\n")
    await becomes(lambda: len(entries_of(caller)) == 2)
    rows = {entry.request_id: entry for entry in entries_of(caller)}
    owner = rows[first.headers["X-Request-Id"]]
    assert owner.usage.total_out == 20
    assert upstream.abandoned == []


async def test_it_ends_when_its_last_reader_leaves(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(hang_in_stream())

    async with reading(caller) as first, reading(caller) as second:
        assert (first.status, second.status) == (200, 200)
        first.close()
        second.close()
        await upstream.wait_abandoned()

    await becomes(lambda: len(entries_of(caller)) == 2)
    assert [entry.status for entry in entries_of(caller)] == [499, 499]
    assert len(upstream.attempts) == 1
    assert under_way(caller) == 0


async def test_it_ends_when_all_leave_before_it_has_begun(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(lambda _: [Hang()])
    asked = [asyncio.ensure_future(caller.chat(seed=1)) for _ in range(3)]
    await upstream.wait_requests()
    await becomes(lambda: under_way(caller) == 3)

    for one in asked:
        one.cancel()

    await upstream.wait_abandoned()
    await becomes(lambda: under_way(caller) == 0)
    assert [entry.status for entry in entries_of(caller)] == [499, 499, 499]


@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_error_is_that_of_all(
    caller: Asker, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    go = asyncio.Event()
    upstream.will(lambda request: [Hold(go), *status(500, "broken")(request)])
    asked = [asyncio.ensure_future(caller.chat(seed=1, stream=is_stream)) for _ in range(3)]
    await becomes(lambda: under_way(caller) == 3)

    go.set()
    answers = await asyncio.gather(*asked)

    assert {one.status for one in answers} == {502}
    assert len(upstream.attempts) == 1
    assert {entry.failure for entry in entries_of(caller)} == {"transient"}
    assert (await caller.chat(seed=1)).status == 200


async def test_an_error_in_the_middle_is_that_of_all(caller: Asker, upstream: FakeUpstream) -> None:
    go = asyncio.Event()
    upstream.will(error_in_stream("half", message="broken", hold=go))

    async with reading(caller) as first, reading(caller) as second:
        go.set()
        bodies = await asyncio.gather(first.read(), second.read())

    for body in bodies:
        assert b"half" in body
        assert b"upstream_failed" in body
        assert b"[DONE]" not in body


async def test_what_is_new_or_hurried_or_asked_otherwise_is_made_for_itself(
    caller: Asker, upstream: FakeUpstream
) -> None:
    go = asyncio.Event()
    upstream.default = stream("one ", "two", hold=go)

    async with reading(caller):
        headers = [{"Cache-Control": "no-cache"}, {"X-Deadline-Ms": "60000"}]
        others = [
            asyncio.ensure_future(
                caller.ask("POST", "/v1/chat/completions", json=BODY, headers=named)
            )
            for named in headers
        ]
        others.append(asyncio.ensure_future(caller.chat("ho", seed=1, stream=True)))
        await upstream.wait_requests(4)
        go.set()
        answers = await asyncio.gather(*others)

    assert [one.status for one in answers] == [200, 200, 200]


async def test_one_limit_does_not_stop_another_callers_place(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=SHARED, limits={"anonymous": {"requests": "2/hour"}})
    go = asyncio.Event()
    upstream.will(stream("one ", "two", hold=go))

    async with reading(caller), reading(caller) as second, reading(caller) as third:
        assert (second.status, third.status) == (200, 429)
        go.set()


async def test_a_slow_reader_holds_nobody_up_and_costs_no_memory(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models=SHARED, cache={"answer_bytes": 65536}, limits=MANY)
    go, count, size = asyncio.Event(), 1200, 16384  # More than kernels buffer.
    text = frame(word("x" * size))
    pieces = [piece(text)] * count
    end = [piece(frame(FINISH)), piece(b"data: [DONE]\n\n"), Send(LAST_CHUNK)]
    upstream.will(lambda _: [Send(STREAM_HEAD), piece(text), Hold(go), *pieces, *end])

    async with reading(caller) as slow, reading(caller) as quick:
        go.set()
        body = await quick.read()
        left = await slow.read()

    assert body.count(b"x" * size) == count + 1
    assert body.endswith(b"[DONE]\n\n")
    assert len(left) < len(body)
    assert b"you read more slowly" in left


async def test_words_by_url_are_shared_as_meaning(caller: Asker, upstream: FakeUpstream) -> None:
    go = asyncio.Event()
    upstream.will(stream("one ", "two", hold=go))
    path = "/api/generate_response?user_input=hi&seed=7&stream=true"

    asked = [asyncio.ensure_future(caller.get(path)) for _ in range(2)]
    await becomes(lambda: under_way(caller) == 2)
    go.set()
    answers = await asyncio.gather(*asked)

    assert {one.words for one in answers} == {"one two"}
    assert {one.is_done for one in answers} == {True}
    assert len(upstream.attempts) == 1


async def test_the_openai_client_shares_and_leaves_as_it_likes(
    caller: Asker, upstream: FakeUpstream
) -> None:
    go = asyncio.Event()
    upstream.will(stream("one ", "two ", "three", hold=go))
    url = f"{caller.gateway.url}/v1"

    async def ask(client: AsyncOpenAI, most: int) -> str:
        chunks = await client.chat.completions.create(
            model="openai", messages=[{"role": "user", "content": "hi"}], seed=1, stream=True
        )
        said = ""
        async for chunk in chunks:
            said += chunk.choices[0].delta.content or ""
            if len(said) >= most:
                await chunks.close()
                break
        return said

    async with AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
        asked = [asyncio.ensure_future(ask(client, most)) for most in (1, 1000, 1000)]
        await becomes(asked[0].done)
        go.set()
        said = await asyncio.gather(*asked)

    assert said == ["one ", "one two three", "one two three"]
    assert len(upstream.attempts) == 1


async def test_whoever_leaves_whenever_nothing_is_left_behind(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.default = stream(*(f"word{number} " for number in range(30)), gap_s=0.005)
    luck = random.Random(7)  # noqa: S311 - the same in each run.

    async def read_some(number: int) -> None:
        async with reading(caller, seed=number % 3) as answer:
            for _ in range(luck.randrange(30)):
                await answer.content.readuntil(b"\n\n")

    await asyncio.gather(*(read_some(number) for number in range(60)))

    await becomes(lambda: under_way(caller) == 0)
    await becomes(lambda: len(entries_of(caller)) == 60)
    serving = caller.gateway.gateway.serving
    assert serving.services.memory.generations.readers == []
    answered = await caller.chat()
    assert answered.headers["X-RateLimit-Remaining"] == "939"


async def test_what_a_guard_finds_in_a_shared_answer_keeps_it_out_of_the_feed_for_all(
    begin: Begin, upstream: FakeUpstream
) -> None:
    rude = {"pattern": "rude", "action": "flag", "name": "rude"}
    guarded = {**SHARED["openai"], "guards": {"output": [rude]}}
    caller = await begin(models={"openai": guarded}, feeds={"enabled": True}, limits=MANY)
    go = asyncio.Event()
    upstream.will(lambda request: [Hold(go), *reply("a rude word")(request)])
    url = "/api/generate_response?seed=1&user_input="

    asked = [asyncio.ensure_future(caller.get(f"{url}same")) for _ in range(3)]
    await becomes(lambda: under_way(caller) == 3)
    go.set()
    answers = await asyncio.gather(*asked)
    await caller.get(f"{url}fine")

    assert Counter(one.headers["X-Cache"] for one in answers) == {"MISS": 1, "SHARED": 2}
    assert {one.headers["X-Guards"] for one in answers} == {"rude"}
    assert b"fine" in await newest_in_feed(caller)
