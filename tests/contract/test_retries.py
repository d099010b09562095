"""Targets that failed for a moment are asked again, within the budget of the whole gateway."""

from typing import Any

import pytest

from gateway.testing.actions import Answer
from gateway.testing.clock import ManualClock
from gateway.testing.upstream import (
    FakeUpstream,
    empty,
    error_in_stream,
    rate_limit,
    reply,
    reset,
    status,
    truncated,
)
from tests.contract.asking import assert_broken_off, assert_refused
from tests.contract.conftest import Begin
from tests.contract.test_ledger import entries_of

SOON: dict[str, Any] = {"times": 1, "base_s": 0.001}
NEVER_RESTING = {"failures": 1000}
MANY = {"anonymous": {"requests": "1000/hour", "concurrent": 10}}
PASSING = {
    "busy": status(503),
    "reset": reset(),
    "reset before a word": reset(after=0),
    "empty": empty(),
    "an error in the stream": error_in_stream(),
    "too many calls": rate_limit(),
}


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
async def test_what_passes_is_tried_again(
    begin: Begin, upstream: FakeUpstream, fault: Answer, *, is_stream: bool
) -> None:
    caller = await begin(retries=SOON)
    upstream.will(fault, reply("hello"))

    answer = await caller.chat(stream=is_stream)

    assert answer.status == 200
    assert b"hello" in answer.body
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("code", [400, 401, 402, 404, 408])
async def test_what_does_not_pass_is_not(begin: Begin, upstream: FakeUpstream, code: int) -> None:
    caller = await begin(retries=SOON)
    upstream.will(status(code))

    assert (await caller.chat()).status >= 400

    assert len(upstream.requests) == 1


async def test_nothing_is_tried_again_unless_the_configuration_says_so(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin()
    upstream.will(status(503))

    assert_refused(await caller.chat(), 502, "upstream_failed")

    assert len(upstream.requests) == 1


async def test_after_the_first_word_nothing_is_tried_again(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, retries=SOON)
    upstream.will(truncated(after=1))

    assert_broken_off(await caller.chat(stream=True), "upstream_failed")

    assert (len(upstream.requests), len(second.requests)) == (1, 0)


async def test_another_target_is_asked_before_the_same_one_again(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, retries=SOON)
    upstream.will(status(503), reply("at last"))
    second.will(status(503))

    answer = await caller.chat()

    assert answer.headers["X-Provider"] == "up"
    assert (len(upstream.requests), len(second.requests)) == (2, 1)


async def test_a_call_makes_four_attempts_at_most(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(retries={**SOON, "times": 3}, health=NEVER_RESTING)
    upstream.will(*[status(503)] * 10)

    assert_refused(await caller.chat(), 502, "upstream_failed")

    assert len(upstream.requests) == 4


async def test_an_upstream_that_wants_a_longer_wait_is_not_asked_again(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(retries={**SOON, "longest_s": 5})
    upstream.will(rate_limit(retry_after_s=6))

    refused = await caller.chat()

    assert_refused(refused, 429, "upstream_rate_limited")
    assert refused.headers["Retry-After"] == "6"
    assert len(upstream.requests) == 1


async def test_a_wait_past_the_deadline_is_not_begun(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(retries={**SOON, "longest_s": 600}, deadlines={"total_s": 30})
    upstream.will(rate_limit(retry_after_s=31))

    assert_refused(await caller.chat(), 429, "upstream_rate_limited")


async def test_a_total_outage_costs_a_tenth_more_and_the_floor(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(
        retries={**SOON, "times": 3},
        health=NEVER_RESTING,
        limits=MANY,
        clock=ManualClock(),
    )
    upstream.default = status(503)

    for _ in range(100):
        assert (await caller.chat()).status == 502

    # Tenths don't add up to a whole.
    assert len(upstream.requests) == pytest.approx(100 + 10 + 10, abs=1)


async def test_going_on_to_a_target_that_failed_too_costs_the_budget(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, health=NEVER_RESTING, limits=MANY, clock=ManualClock())
    upstream.default = second.default = status(503)

    for _ in range(100):
        await caller.chat()

    # The first was free: nothing was known of it.
    assert len(upstream.requests) == 100
    assert len(second.requests) == pytest.approx(1 + 10 + 10, abs=1)


async def test_each_target_that_is_asked_again_costs_the_budget(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(
        second,
        retries={**SOON, "times": 3},
        health=NEVER_RESTING,
        limits=MANY,
        clock=ManualClock(),
    )
    upstream.default = second.default = status(503)

    for _ in range(100):
        await caller.chat()

    attempts = len(upstream.requests) + len(second.requests)
    assert attempts == pytest.approx(100 + 10 + 10 + 1, abs=1)


async def test_going_on_to_a_target_that_answers_costs_nothing(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    nothing = {"budget_percent": 0, "floor": "1/day"}
    caller = await begin(second, health=NEVER_RESTING, retries=nothing, clock=ManualClock())
    upstream.default = status(503)

    answers = [await caller.chat() for _ in range(30)]

    assert [one.status for one in answers] == [200] * 30


async def test_the_ledger_has_each_attempt_and_what_the_caller_was_told(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(
        second, retries=SOON, health={"failures": 2}, clock=ManualClock(), limits=MANY
    )
    upstream.will(*[status(503)] * 2)
    second.will(*[status(503)] * 2)

    retried, refused = await caller.chat(), await caller.chat()
    at_once = await caller.chat()

    told = [(entry.status, entry.attempts, entry.failure) for entry in entries_of(caller)]
    assert [one.status for one in (retried, refused, at_once)] == [502, 503, 503]
    assert told == [(502, 4, "transient"), (503, 0, "unavailable"), (503, 0, "unavailable")]
