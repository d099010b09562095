"""A target that fails is left alone while others answer, and looked at again by one call."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.config.routing import Health
from gateway.testing.actions import Answer
from gateway.testing.clock import ManualClock
from gateway.testing.upstream import (
    FakeUpstream,
    empty,
    hang_before_head,
    hang_in_stream,
    rate_limit,
    reset,
    status,
    truncated,
)
from tests.contract.administering import SECRET, administer
from tests.contract.asking import Asker, assert_broken_off, assert_refused, gate_of
from tests.contract.conftest import Begin

RESTING: dict[str, Any] = {"failures": 3, "cooldown_s": 5, "longest_cooldown_s": 60, "rest_s": 300}
FAULTS = {
    "busy": status(503),
    "reset before the head": reset(),
    "reset before a word": reset(after=0),
    "an empty answer": empty(),
    "a key that is refused": status(401),
    "a model that is gone": status(404),
}


def test_a_longest_wait_that_is_no_longest_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"health\.longest_cooldown_s is less"):
        Health(cooldown_s=10, longest_cooldown_s=5)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
async def test_callers_never_know_that_the_first_target_is_down(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, fault: Answer, *, is_stream: bool
) -> None:
    caller = await begin(second, health=RESTING, clock=ManualClock())
    upstream.will(*[fault] * 20)

    replies = [await caller.chat(stream=is_stream) for _ in range(20)]

    assert [one.status for one in replies] == [200] * 20
    assert [one.body.count(b"data: [DONE]") for one in replies] == [int(is_stream)] * 20
    assert (len(upstream.requests), len(second.requests)) == (3, 20)


async def test_when_all_rest_calls_fail_at_once_and_say_when_to_come_back(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(health=RESTING, clock=ManualClock())
    await fail(caller, upstream, 3)

    refused = await caller.chat()

    assert_refused(refused, 503, "unavailable")
    assert refused.headers["Retry-After"] == "5"
    assert "X-Provider" not in refused.headers
    assert len(upstream.requests) == 3


async def test_a_total_outage_costs_few_attempts(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    limits = {"anonymous": {"requests": "1000/hour", "concurrent": 50}}
    caller = await begin(second, health=RESTING, limits=limits, clock=ManualClock())
    upstream.will(*[status(500)] * 300)
    second.will(*[status(500)] * 300)

    replies = [await caller.chat() for _ in range(100)]

    assert {one.status for one in replies} == {502, 503}
    assert len(upstream.requests) + len(second.requests) == 6


async def test_one_call_looks_whether_it_is_back_and_the_others_go_elsewhere(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    clock = ManualClock()
    caller = await begin(second, health=RESTING, clock=clock)
    await fail(caller, upstream, 3)
    clock.advance(5)
    upstream.will(hang_before_head())

    probe = asyncio.ensure_future(caller.chat())
    await upstream.wait_requests(4)
    others = [await caller.chat() for _ in range(3)]
    probe.cancel()
    await upstream.wait_abandoned()
    after = await caller.chat()

    assert [one.headers["X-Provider"] for one in others] == ["second"] * 3
    assert after.headers["X-Provider"] == "up"
    assert len(upstream.requests) == 5


async def test_a_target_that_heals_takes_calls_again_after_its_rest(
    begin: Begin, upstream: FakeUpstream
) -> None:
    clock = ManualClock()
    caller = await begin(health=RESTING, clock=clock)
    await fail(caller, upstream, 3)
    clock.advance(5)
    await fail(caller, upstream, 1)
    clock.advance(9)
    assert (await caller.chat()).status == 503
    clock.advance(1)

    healed = [await caller.chat() for _ in range(3)]

    assert [one.status for one in healed] == [200] * 3
    assert len(upstream.requests) == 7


async def test_a_stream_that_breaks_off_counts_and_nothing_is_asked_again(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(health=RESTING, clock=ManualClock())
    upstream.will(*[truncated(after=2)] * 3)

    for _ in range(3):
        assert_broken_off(await caller.chat(stream=True), "upstream_failed")

    assert_refused(await caller.chat(), 503, "unavailable")
    assert len(upstream.requests) == 3


async def test_a_target_that_takes_no_more_calls_rests_for_as_long_as_it_says(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    clock = ManualClock()
    caller = await begin(second, health=RESTING, clock=clock)
    upstream.will(rate_limit(retry_after_s=9))

    replies = [await caller.chat() for _ in range(3)]
    clock.advance(9)
    replies.append(await caller.chat())

    assert [one.headers["X-Provider"] for one in replies] == ["second"] * 3 + ["up"]
    assert len(upstream.requests) == 2


async def test_requests_that_are_wrong_rest_nobody(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(health=RESTING, clock=ManualClock())
    upstream.will(*[status(400, "bad stop")] * 10)

    replies = [await caller.chat() for _ in range(11)]

    assert [one.status for one in replies] == [400] * 10 + [200]


async def test_callers_that_leave_rest_nobody_and_their_places_are_free(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(health=RESTING, clock=ManualClock())
    upstream.will(*[hang_in_stream(0)] * 5)

    for number in range(5):
        call = asyncio.ensure_future(caller.chat(stream=True))
        await upstream.wait_requests(number + 1)
        call.cancel()
        await upstream.wait_abandoned(number + 1)
    answer = await caller.chat()

    assert answer.status == 200
    assert gate_of(caller.gateway).in_flight == 0
    assert all(one.in_flight == 0 for one in caller.gateway.gateway.serving.services.health)


async def test_a_name_of_a_family_that_is_gone_rests_alone(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(health=RESTING, clock=ManualClock())
    upstream.will(*[status(404)] * 3)
    for _ in range(3):
        await caller.chat(model="up-gone")

    gone, other = await caller.chat(model="up-gone"), await caller.chat(model="up-there")

    assert (gone.status, other.status) == (503, 200)
    assert gone.headers["Retry-After"] == "300"


async def test_operators_see_the_story_and_the_log_has_a_line_for_each_change(
    begin: Begin,
    upstream: FakeUpstream,
    second: FakeUpstream,
    capfd: pytest.CaptureFixture[str],
) -> None:
    clock = ManualClock()
    caller = await begin(second, health=RESTING, admin={"secret": SECRET}, clock=clock)
    upstream.will(*[status(503)] * 3)
    for _ in range(5):
        await caller.chat()

    while_open = await told(caller)
    scraped = (await caller.ask("GET", "/metrics", is_admin=True)).text
    clock.advance(5)
    await caller.chat(stream=True)
    after = await told(caller)

    assert {key: while_open["up/upstream-model"][key] for key in _FACTS} == {
        "state": "open",
        "why": "transient",
        "since": "2024-01-01T00:00:00+00:00",
        "next_probe_s": 5.0,
        "failures": 3,
        "in_flight": 0,
    }
    assert while_open["second/second-model"]["whole_ms"] > 0
    assert 'dynagate_target_open{target="up/upstream-model"} 1.0' in scraped
    assert 'dynagate_target_open{target="second/second-model"} 0.0' in scraped
    assert (after["up/upstream-model"]["state"], after["up/upstream-model"]["failures"]) == (
        "closed",
        0,
    )
    assert after["up/upstream-model"]["first_token_ms"] > 0
    assert after["up/upstream-model"]["first_token_p95_ms"] is None
    name = "up/upstream-model"
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert [one["event"] for one in lines if one.get("logger") == "dynagate.health"] == [
        f"target {name} is open: 3 failures in a row, the last was transient; it rests for 5 s",
        f"target {name} answers again: it is closed",
    ]


async def test_targets_are_told_to_nobody_without_the_secret(begin: Begin) -> None:
    caller = await begin(admin={"secret": SECRET})

    answer = await caller.ask("GET", "/admin/targets", is_admin=True)

    assert_refused(answer, 401, "key_required")


_FACTS = ("state", "why", "since", "next_probe_s", "failures", "in_flight")


async def fail(caller: Asker, upstream: FakeUpstream, times: int) -> None:
    """Let the first target fail so often."""
    upstream.will(*[status(500)] * times)
    for _ in range(times):
        await caller.chat()


async def told(caller: Asker) -> dict[str, Any]:
    """Return what `/admin/targets` says, by the names of targets."""
    answer = await administer(caller, "GET", "/admin/targets")
    assert answer.status == 200, answer.text
    return {one["target"]: one for one in answer.json()["targets"]}
