"""Before a call looks whether a target is back, its provider does, where that costs nothing."""

from typing import Any

import pytest

from gateway.pipeline.health.breaker import Condition, TargetHealth
from gateway.testing.actions import Answer
from gateway.testing.clock import ManualClock
from gateway.testing.upstream import FakeUpstream, hang_before_head, reset, status
from tests.contract.asking import CANARY, Asker
from tests.contract.conftest import Begin
from tests.contract.test_health import fail
from tests.web.raw_http import becomes

RESTING: dict[str, Any] = {"failures": 3, "cooldown_s": 5, "longest_cooldown_s": 60, "rest_s": 300}
DOWN = {
    "busy": status(503),
    "gone": reset(),
    "a key that is refused": status(401),
    "too many": status(429),
}
THERE = {"no list": status(404), "a key that may not see it": status(403), "a list": None}


def reached(upstream: FakeUpstream) -> dict[str, Any]:
    """Return the section of the first provider, with a list of models where OpenAI has it."""
    return {"settings": {"base_url": f"{upstream.url}/v1", "api_key": CANARY}}


def health_of(caller: Asker) -> TargetHealth:
    """Return the health of the first target."""
    return caller.gateway.gateway.serving.services.health.of("up/upstream-model")


def looks(upstream: FakeUpstream) -> int:
    """Return how often the list of models was asked for."""
    return sum(request.method == "GET" for request in upstream.requests)


@pytest.mark.parametrize("fault", DOWN.values(), ids=DOWN.keys())
async def test_no_call_is_risked_while_the_host_is_down(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, fault: Answer
) -> None:
    clock = ManualClock()
    caller = await begin(second, health=RESTING, clock=clock, up=reached(upstream))
    upstream.listing = fault
    await fail(caller, upstream, 3)
    opened = health_of(caller).epoch

    clock.advance(4)
    await becomes(lambda: health_of(caller).epoch > opened)
    clock.advance(2)
    answer = await caller.chat()

    assert answer.headers["X-Provider"] == "second"
    assert looks(upstream) == 1
    assert len(upstream.attempts) == 3
    assert health_of(caller).rest_s > 0


@pytest.mark.parametrize("listing", THERE.values(), ids=THERE.keys())
async def test_a_host_that_is_there_gets_a_call(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, listing: Answer | None
) -> None:
    clock = ManualClock()
    caller = await begin(second, health=RESTING, clock=clock, up=reached(upstream))
    upstream.listing = listing
    await fail(caller, upstream, 3)

    clock.advance(4)
    await becomes(lambda: looks(upstream) == 1)
    early = await caller.chat()
    clock.advance(1)
    await becomes(lambda: health_of(caller).admits())
    answer = await caller.chat()

    assert early.headers["X-Provider"] == "second"
    assert answer.headers["X-Provider"] == "up"
    assert health_of(caller).condition is Condition.CLOSED
    assert looks(upstream) == 1


async def test_no_call_looks_while_the_provider_does(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    clock = ManualClock()
    caller = await begin(second, health=RESTING, clock=clock, up=reached(upstream))
    upstream.listing = hang_before_head()
    await fail(caller, upstream, 3)

    clock.advance(4)
    await becomes(lambda: looks(upstream) == 1)
    clock.advance(10)
    answer = await caller.chat()

    assert answer.headers["X-Provider"] == "second"


async def test_nobody_looks_where_that_is_off(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    clock = ManualClock()
    caller = await begin(
        second, health={**RESTING, "probes": False}, clock=clock, up=reached(upstream)
    )
    await fail(caller, upstream, 3)

    clock.advance(5)
    answer = await caller.chat()

    assert answer.headers["X-Provider"] == "up"
    assert looks(upstream) == 0


async def test_closed_targets_are_looked_at_as_often_as_is_asked_for(
    begin: Begin, upstream: FakeUpstream
) -> None:
    clock = ManualClock()
    caller = await begin(health={**RESTING, "probe_s": 10}, clock=clock, up=reached(upstream))
    upstream.listing = status(503)

    for number in range(1, 4):
        await upstream.wait_requests(number)
        clock.advance(10)

    await becomes(lambda: health_of(caller).condition is Condition.OPEN)
    assert upstream.attempts == []
