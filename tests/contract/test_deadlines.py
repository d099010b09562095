"""Section 8: no wait is endless, and what it held is free afterwards."""

import pytest

from gateway.testing.actions import Answer
from gateway.testing.openai_documents import frame
from gateway.testing.upstream import (
    FakeUpstream,
    hang_before_head,
    hang_in_stream,
    stream,
)
from tests.contract.asking import assert_broken_off, assert_refused, gate_of, knock
from tests.contract.conftest import Begin
from tests.contract.streaming import CHAT_BODY, CHAT_HEAD, DIALECTS, ROLE, ask, then_hang


async def test_a_full_queue_is_503(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(up={"concurrent": 1, "queue": 0})
    upstream.will(hang_before_head())
    async with knock(caller.gateway) as wire:
        await wire.send(CHAT_HEAD % (len(CHAT_BODY), CHAT_BODY))
        await upstream.wait_requests()

        refused = await caller.chat()

    assert_refused(refused, 503, "unavailable")
    assert refused.headers["Retry-After"]
    assert refused.headers["X-RateLimit-Remaining"] == "98"


async def test_a_full_target_passes_the_call_to_the_next(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, up={"concurrent": 1, "queue": 0})
    upstream.will(hang_before_head())
    async with knock(caller.gateway) as wire:
        await wire.send(CHAT_HEAD % (len(CHAT_BODY), CHAT_BODY))
        await upstream.wait_requests()

        answer = await caller.chat()

    assert answer.headers["X-Provider"] == "second"


@DIALECTS
@pytest.mark.parametrize(
    "silent", [hang_before_head(), hang_in_stream(0), then_hang(frame(ROLE), b": busy\n\n")]
)
async def test_a_first_word_that_does_not_come_is_504(
    begin: Begin, upstream: FakeUpstream, silent: Answer, dialect: str
) -> None:
    caller = await begin(deadlines={"first_token_s": 0.05})
    upstream.will(silent)

    answer = await ask(caller, dialect)

    assert_refused(answer, 504, "deadline_exceeded")
    await upstream.wait_closed()
    assert gate_of(caller.gateway).in_flight == 0


@DIALECTS
async def test_silence_between_words_ends_a_stream(
    begin: Begin, upstream: FakeUpstream, dialect: str
) -> None:
    caller = await begin(deadlines={"between_tokens_s": 0.05})
    upstream.will(hang_in_stream(2))

    answer = await ask(caller, dialect)

    assert_broken_off(answer, "deadline_exceeded")
    assert answer.words == "piece0 piece1 "
    await upstream.wait_closed()
    assert gate_of(caller.gateway).in_flight == 0


@DIALECTS
async def test_a_stream_that_goes_on_for_too_long_ends(
    begin: Begin, upstream: FakeUpstream, dialect: str
) -> None:
    caller = await begin(deadlines={"total_s": 0.15})
    upstream.will(stream(*["word "] * 200, gap_s=0.02))

    answer = await ask(caller, dialect)

    assert_broken_off(answer, "deadline_exceeded")
    assert answer.words.startswith("word word ")
    await upstream.wait_closed()
    assert gate_of(caller.gateway).in_flight == 0


@pytest.mark.parametrize("silent", [hang_before_head(), hang_in_stream(1)])
async def test_a_whole_reply_that_takes_too_long_is_504(
    begin: Begin, upstream: FakeUpstream, silent: Answer
) -> None:
    caller = await begin(deadlines={"total_s": 0.05})
    upstream.will(silent, silent)

    for answer in (await caller.chat(), await caller.get("/text/hi")):
        assert_refused(answer, 504, "deadline_exceeded")
    await upstream.wait_closed(2)
    assert gate_of(caller.gateway).in_flight == 0


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_wait_in_a_queue_counts_towards_the_total(
    begin: Begin, upstream: FakeUpstream, is_stream: bool
) -> None:
    caller = await begin(up={"concurrent": 1}, deadlines={"total_s": 0.1})
    gate = gate_of(caller.gateway)
    await gate.enter()

    answer = await caller.chat(stream=is_stream)

    assert_refused(answer, 504, "deadline_exceeded")
    assert (gate.waiting, gate.in_flight) == (0, 1)
    assert upstream.requests == []


async def test_a_slow_first_target_leaves_time_for_the_next(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, deadlines={"first_token_s": 0.05})
    upstream.will(hang_before_head())

    answer = await caller.chat(stream=True)

    assert answer.words == "hello"
    assert answer.headers["X-Provider"] == "second"
    await upstream.wait_closed()
