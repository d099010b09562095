"""`Idempotency-Key` through the socket: one call, however often and by whom it is asked for."""

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI

from gateway.testing.actions import Hold
from gateway.testing.clock import ManualClock
from gateway.testing.upstream import (
    FakeUpstream,
    Tokens,
    error_in_stream,
    hang_in_stream,
    reply,
    status,
    stream,
)
from gateway.web.once import replayed
from gateway.web.recording import Head
from tests.contract.asking import Asker, Reply, assert_refused, knock
from tests.contract.conftest import Begin, configuration
from tests.contract.sounding import HEARS, SOUND, SPEAKS, speaking, transcript
from tests.contract.streaming import CHAT_HEAD, Pings
from tests.contract.test_ledger import entries_of, rows
from tests.running import run_gateway
from tests.web.raw_http import becomes, happens

MANY = {"anonymous": {"requests": "1000/hour", "concurrent": 100}}
DOCUMENT: dict[str, Any] = {
    "model": "openai",
    "messages": [{"role": "user", "content": "hi"}],
}
STREAMS = pytest.mark.parametrize("is_stream", [False, True])
CHAT = "/v1/chat/completions"


async def post(caller: Asker, key: str = "one", path: str = CHAT, **fields: Any) -> Reply:
    """Ask with that key."""
    return await caller.post(path, DOCUMENT | fields, Idempotency_Key=key)


@STREAMS
async def test_a_repeated_request_gets_the_first_answer(
    caller: Asker, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    upstream.will(reply("one two", usage=Tokens(3, 2)))

    first = await post(caller, stream=is_stream)
    again = await post(caller, stream=is_stream)

    assert (first.status, again.status) == (200, 200)
    assert again.body == first.body
    assert again.is_done == is_stream
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["X-Original-Request-Id"] == first.headers["X-Request-Id"]
    assert again.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    for name in ("Content-Type", "X-Model", "X-Provider", "Cache-Control"):
        assert again.headers[name] == first.headers[name]
    assert len(upstream.attempts) == 1
    metrics = (await caller.ask("GET", "/metrics", is_admin=True)).text
    assert "dynagate_replayed_answers_total 1.0" in metrics
    assert [entry.request_id for entry in entries_of(caller)] == [first.headers["X-Request-Id"]]


async def test_only_the_first_is_counted(begin: Begin) -> None:
    caller = await begin(limits={"anonymous": {"requests": "1/hour"}})

    answers = [await post(caller) for _ in range(3)]

    assert [one.status for one in answers] == [200, 200, 200]
    assert answers[0].headers["X-RateLimit-Remaining"] == "0"
    assert "X-RateLimit-Remaining" not in answers[1].headers
    assert (await post(caller, "two")).status == 429


@STREAMS
async def test_fifty_at_once_are_one_call(
    begin: Begin, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    caller = await begin(limits={"anonymous": {"concurrent": 1}})
    go = asyncio.Event()
    answer = reply("one two")
    upstream.will(lambda request: [Hold(go), *answer(request)])

    asked = [asyncio.ensure_future(post(caller, stream=is_stream)) for _ in range(50)]
    await upstream.wait_requests()
    go.set()
    answers = await asyncio.gather(*asked)

    assert len(upstream.attempts) == 1
    assert len({one.body for one in answers}) == 1
    assert Counter(one.headers.get("Idempotency-Replayed") for one in answers) == {
        None: 1,
        "true": 49,
    }
    assert len(entries_of(caller)) == 1


async def test_who_comes_while_it_streams_gets_all_of_it(
    caller: Asker, upstream: FakeUpstream
) -> None:
    go = asyncio.Event()
    upstream.will(stream("one ", "two", hold=go))
    headers = {"Idempotency-Key": "one"}
    url = f"{caller.gateway.url}{CHAT}"

    async with caller.session.post(url, json=DOCUMENT | {"stream": True}, headers=headers) as first:
        begun = await first.content.readuntil(b"\n\n")
        late = asyncio.ensure_future(post(caller, stream=True))
        go.set()
        rest = await first.read()

    assert (await late).body == begun + rest


@STREAMS
async def test_a_call_goes_on_though_its_caller_leaves(
    caller: Asker, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    go = asyncio.Event()
    answer = reply("one two", usage=Tokens(3, 2))
    upstream.will(lambda request: [Hold(go), *answer(request)])
    body = json.dumps(DOCUMENT | {"stream": is_stream}).encode()
    head = CHAT_HEAD.replace(b"\r\n\r\n", b"\r\nIdempotency-Key: one\r\n\r\n", 1)
    async with knock(caller.gateway) as raw:
        await raw.send(head % (len(body), body))
        await upstream.wait_requests()

    go.set()
    await becomes(lambda: len(entries_of(caller)) == 1)
    again = await caller.ask("POST", CHAT, data=body, headers={"Idempotency-Key": "one"})

    (entry,) = entries_of(caller)
    assert (entry.status, entry.is_aborted, entry.usage.total_out) == (200, False, 2)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.words == "one two" if is_stream else "one two" in again.text
    assert upstream.abandoned == []


@pytest.mark.parametrize(
    "other",
    [{"path": "/openai/v1/chat/completions"}, {"seed": 1}, {"stream": True}, {"path": f"{CHAT}?x"}],
)
async def test_another_request_under_the_same_key_is_refused(
    caller: Asker, upstream: FakeUpstream, other: dict[str, Any]
) -> None:
    await post(caller)

    refused = await post(caller, **other)

    assert_refused(refused, 409, "idempotency_key_reused", "Idempotency-Key")
    assert len(upstream.attempts) == 1


async def test_another_request_is_refused_while_the_first_is_under_way(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(hang_in_stream())
    asked = asyncio.ensure_future(post(caller, stream=True))
    await upstream.wait_requests()

    refused = await post(caller, seed=1)

    assert_refused(refused, 409, "idempotency_key_reused", "Idempotency-Key")
    asked.cancel()


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a\tb"])
async def test_a_key_that_is_none_is_refused(
    caller: Asker, upstream: FakeUpstream, key: str
) -> None:
    refused = await post(caller, key)

    assert_refused(refused, 400, "invalid_parameter", "Idempotency-Key")
    assert upstream.attempts == []


async def test_two_keys_are_none(caller: Asker) -> None:
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]

    async with caller.session.post(
        f"{caller.gateway.url}{CHAT}", json=DOCUMENT, headers=headers
    ) as refused:
        assert refused.status == 400


async def test_the_longest_key_is_one(caller: Asker) -> None:
    assert (await post(caller, "x" * 255)).status == 200


@STREAMS
async def test_an_error_without_an_answer_is_not_kept(
    caller: Asker, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    upstream.will(status(500), reply("hello"))

    failed = await post(caller, stream=is_stream)
    again = await post(caller, stream=is_stream)

    assert_refused(failed, 502, "upstream_failed")
    assert failed.headers["X-RateLimit-Limit"] == "100"
    assert again.status == 200
    assert "Idempotency-Replayed" not in again.headers


async def test_a_refused_request_leaves_its_key_free(begin: Begin) -> None:
    clock = ManualClock()
    caller = await begin(limits={"anonymous": {"requests": "1/hour"}}, clock=clock)
    await caller.chat()

    refused = await post(caller)
    clock.advance(3601)
    answered = await post(caller)

    assert (refused.status, answered.status) == (429, 200)


async def test_an_error_reaches_all_who_wait(caller: Asker, upstream: FakeUpstream) -> None:
    go = asyncio.Event()
    upstream.will(lambda request: [Hold(go), *status(500)(request)])
    asked = [asyncio.ensure_future(post(caller)) for _ in range(3)]
    await upstream.wait_requests()

    go.set()
    answers = await asyncio.gather(*asked)

    assert {one.status for one in answers} <= {502, 200}
    assert answers[0].status == 502
    assert len(upstream.attempts) <= 2


async def test_a_stream_that_broke_off_is_kept_as_it_is(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(error_in_stream("half", message="broken"))

    first = await post(caller, stream=True)
    again = await post(caller, stream=True)

    assert again.body == first.body
    assert first.error["code"] == "upstream_failed"
    assert len(upstream.attempts) == 1


async def test_an_answer_is_kept_for_as_long_as_is_configured(
    begin: Begin, upstream: FakeUpstream
) -> None:
    clock = ManualClock()
    caller = await begin(clock=clock, idempotency={"keep_hours": 2})
    await post(caller)
    clock.advance(2 * 3600 - 1)
    assert "Idempotency-Replayed" in (await post(caller)).headers

    clock.advance(2)

    assert "Idempotency-Replayed" not in (await post(caller)).headers
    assert len(upstream.attempts) == 2


@STREAMS
async def test_an_answer_that_was_too_large_is_not_made_again(
    begin: Begin, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    caller = await begin(idempotency={"answer_bytes": 1024})
    upstream.will(reply("word " * 500))

    first = await post(caller, stream=is_stream)
    again = await post(caller, stream=is_stream)

    assert first.status == 200
    assert first.text.count("word") >= 500
    assert_refused(again, 409, "conflict", "Idempotency-Key")
    assert len(upstream.attempts) == 1


async def test_get_ignores_the_key(caller: Asker, upstream: FakeUpstream) -> None:
    for _ in range(2):
        answer = await caller.get("/api/text/hi", Idempotency_Key="one")
        assert "Idempotency-Replayed" not in answer.headers

    assert len(upstream.attempts) == 2


async def test_a_post_of_the_get_api_may_have_a_key(caller: Asker, upstream: FakeUpstream) -> None:
    given = {"user_input": "hi", "private": True}

    answers = [
        await caller.post("/api/generate_response", given, Idempotency_Key="one") for _ in range(2)
    ]

    assert [one.text for one in answers] == ["hello", "hello"]
    assert answers[0].headers["X-Seed"] == answers[1].headers["X-Seed"]
    assert len(upstream.attempts) == 1


async def test_a_form_is_the_same_whatever_its_boundary(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models={"whisper-1": HEARS})
    headers = {"Idempotency-Key": "one"}

    async def transcribed(sound: bytes) -> tuple[int, str | None]:
        form = aiohttp.FormData()
        form.add_field("file", sound, filename="a.wav")
        form.add_field("model", "whisper-1")
        url = f"{caller.gateway.url}/v1/audio/transcriptions"
        async with caller.session.post(url, data=form, headers=headers) as answer:
            return answer.status, answer.headers.get("Idempotency-Replayed")

    upstream.will(transcript("said"))

    answers = [await transcribed(sound) for sound in (SOUND, SOUND, b"other")]

    assert answers == [(200, None), (200, "true"), (409, None)]


async def test_sound_is_replayed_as_the_bytes_it_was(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(models={"tts": SPEAKS})
    upstream.will(speaking())
    document = {"model": "tts", "input": "hi", "voice": "alloy", "response_format": "pcm"}

    answers = [
        await caller.post("/v1/audio/speech", document, Idempotency_Key="one") for _ in range(2)
    ]

    assert [one.status for one in answers] == [200, 200]
    assert answers[0].body == answers[1].body
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert len(upstream.attempts) == 1


async def test_the_openai_client_gets_one_answer_for_one_key(
    caller: Asker, upstream: FakeUpstream
) -> None:
    url = f"{caller.gateway.url}/v1"
    async with AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
        answers = [
            await client.chat.completions.create(
                model="openai",
                messages=[{"role": "user", "content": "hi"}],
                extra_headers={"Idempotency-Key": "one"},
            )
            for _ in range(2)
        ]

    assert answers[0] == answers[1]
    assert len(upstream.attempts) == 1


async def test_a_gateway_that_stops_ends_what_it_makes_for_nobody(
    upstream: FakeUpstream, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    upstream.will(hang_in_stream())
    kept = {"url": "sqlite:///$XDG_STATE_HOME/dynagate/state.sqlite"}
    async with run_gateway(configuration(upstream, state=kept), tmp_path) as running:
        caller = Asker(session, running)
        asked = asyncio.ensure_future(post(caller, stream=True))
        await upstream.wait_requests()
        asked.cancel()

    await upstream.wait_abandoned()
    assert [row["status"] for row in rows(tmp_path)] == [499]


async def test_a_file_is_there_until_the_call_is_over_though_its_caller_left(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(models={"whisper-1": HEARS})
    go = asyncio.Event()
    failed, said = status(500), transcript("said")
    upstream.will(lambda request: [Hold(go), *failed(request)], said)
    headers = {"Idempotency-Key": "one"}
    url = f"{caller.gateway.url}/v1/audio/transcriptions"

    async def transcribed() -> str | None:
        form = aiohttp.FormData()
        form.add_field("file", SOUND, filename="a.wav")
        form.add_field("model", "whisper-1")
        async with caller.session.post(url, data=form, headers=headers) as answer:
            return f"{answer.status} {answer.headers.get('Idempotency-Replayed')}"

    asked = asyncio.ensure_future(transcribed())
    await upstream.wait_requests()
    asked.cancel()
    go.set()
    await becomes(lambda: len(entries_of(caller)) == 1)

    assert await transcribed() == "200 None"
    assert await transcribed() == "200 true"


async def test_nothing_is_left_behind_by_who_leaves(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.default = stream(*(f"word{number} " for number in range(20)), gap_s=0.005)
    luck = random.Random(7)  # noqa: S311 - the same in each run.
    url = f"{caller.gateway.url}{CHAT}"

    async def read_some(number: int) -> None:
        headers = {"Idempotency-Key": f"key{number % 3}"}
        document = DOCUMENT | {"stream": True}
        async with aiohttp.ClientSession() as session:
            answer = await session.post(url, json=document, headers=headers)
            for _ in range(luck.randrange(20)):
                await answer.content.readuntil(b"\n\n")
            answer.close()

    await asyncio.gather(*(read_some(number) for number in range(60)))

    await becomes(lambda: len(entries_of(caller)) == 3)
    assert [entry.status for entry in entries_of(caller)] == [200, 200, 200]
    assert len(upstream.attempts) == 3
    assert caller.gateway.gateway.serving.services.metrics.in_flight == 0


async def test_pings_come_before_the_answer_and_an_error_after_them_is_an_event(
    caller: Asker, upstream: FakeUpstream
) -> None:
    go, then = asyncio.Event(), asyncio.Event()
    answer, failed = stream("one ", "two"), status(500)
    upstream.will(
        lambda request: [Hold(go), *answer(request)], lambda request: [Hold(then), *failed(request)]
    )
    pings = Pings(caller)

    asked = [asyncio.ensure_future(post(caller, stream=True)) for _ in range(2)]
    await happens(pings.first)
    go.set()
    first, second = await asyncio.gather(*asked)
    pings.first.clear()
    failing = asyncio.ensure_future(post(caller, "two", stream=True))
    await happens(pings.first)
    then.set()

    assert first.words == second.words == "one two"
    assert (first.is_done, second.is_done) == (True, True)
    told = await failing
    assert (told.status, told.error["code"]) == (200, "upstream_failed")


async def test_a_deadline_that_is_none_is_refused_and_leaves_the_key_free(caller: Asker) -> None:
    wrong = {"Idempotency-Key": "one", "X-Deadline-Ms": "soon"}

    refused = await caller.ask("POST", CHAT, json=DOCUMENT, headers=wrong)

    assert_refused(refused, 400, "invalid_parameter", "X-Deadline-Ms")
    assert (await post(caller)).status == 200


def test_a_replayed_answer_tells_nothing_of_the_first_ones_moment() -> None:
    told = {"Server-Timing": "total;dur=1", "X-RateLimit-Limit": "1", "Age": "3", "X-Model": "m"}

    assert replayed(Head(told, is_whole=True), "req_1") == {
        "X-Model": "m",
        "Idempotency-Replayed": "true",
        "X-Original-Request-Id": "req_1",
    }
