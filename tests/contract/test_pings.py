"""Section 8: a stream is never silent for long, from admission on."""

import asyncio

from gateway.testing.upstream import (
    FakeUpstream,
    reply,
    status,
    stream,
)
from tests.contract.asking import Asker, assert_broken_off, knock
from tests.contract.conftest import Begin
from tests.contract.streaming import (
    CHAT_BODY,
    CHAT_HEAD,
    DIALECTS,
    Pings,
    ask,
    hold,
)


@DIALECTS
async def test_a_ping_opens_a_stream_whose_first_word_is_late(
    caller: Asker, upstream: FakeUpstream, dialect: str
) -> None:
    pings = Pings(caller)
    release = asyncio.Event()
    upstream.will(lambda request: [*hold(release), *reply("late")(request)])
    call = asyncio.ensure_future(ask(caller, dialect))
    await pings.first.wait()
    release.set()

    answer = await call

    assert answer.body.startswith(b": ping\n\n")
    assert answer.words == "late"
    assert answer.is_done
    assert answer.headers["X-RateLimit-Remaining"] == "99"


@DIALECTS
async def test_an_error_after_a_ping_is_an_event(
    caller: Asker, upstream: FakeUpstream, dialect: str
) -> None:
    pings = Pings(caller)
    release = asyncio.Event()
    upstream.will(lambda request: [*hold(release), *status(500)(request)])
    call = asyncio.ensure_future(ask(caller, dialect))
    await pings.first.wait()
    release.set()

    answer = await call

    assert answer.body.startswith(b": ping\n\n")
    assert_broken_off(answer, "upstream_failed")


async def test_another_target_can_still_answer_after_a_ping(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second)
    pings = Pings(caller)
    release = asyncio.Event()
    upstream.will(lambda request: [*hold(release), *status(500)(request)])
    call = asyncio.ensure_future(caller.chat(stream=True))
    await pings.first.wait()
    release.set()

    answer = await call

    assert answer.body.startswith(b": ping\n\n")
    assert answer.words == "hello"
    assert second.attempts == ["second-model"]


async def test_pings_run_while_a_call_waits_in_a_queue(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(up={"concurrent": 1})
    Pings(caller)
    release = asyncio.Event()
    upstream.will(stream("a", "b", hold=release))
    first = asyncio.ensure_future(caller.chat(stream=True))
    await upstream.wait_requests()
    async with knock(caller.gateway) as wire:
        await wire.send(CHAT_HEAD % (len(CHAT_BODY), CHAT_BODY))
        opened = await wire.until(b": ping\n\n")
        waiting = len(upstream.requests)
        release.set()
        rest = await wire.until(b"data: [DONE]")

    assert opened.startswith(b"HTTP/1.1 200")
    assert waiting == 1
    assert b"hello" in rest
    assert (await first).words == "ab"


async def test_pings_fall_between_frames(caller: Asker, upstream: FakeUpstream) -> None:
    Pings(caller)
    upstream.will(stream("one ", "two ", "three", gap_s=0.05))

    answer = await caller.chat(stream=True)

    assert b": ping\n\n" in answer.body
    assert answer.words == "one two three"
    assert answer.is_done
