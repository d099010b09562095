"""Several gateways on one Valkey: what one finds of a target, the others know."""

from pathlib import Path
from typing import Any

import aiohttp

from gateway.pipeline.health.breaker import Condition, TargetHealth
from gateway.testing.upstream import FakeUpstream, status
from tests.contract.asking import Asker
from tests.contract.test_shared import counted, gateways
from tests.valkey import TestValkey
from tests.web.raw_http import becomes

RESTING: dict[str, Any] = {"failures": 3, "cooldown_s": 60}
SOON = {"failures": 3, "cooldown_s": 0.5}


def health_of(asker: Asker) -> TargetHealth:
    """Return what a gateway knows of the first target."""
    return asker.gateway.gateway.serving.services.health.of("up/upstream-model")


async def fail(asker: Asker, upstream: FakeUpstream) -> None:
    """Let the first target fail often enough."""
    upstream.will(*[status(500)] * 3)
    for _ in range(3):
        await asker.chat()


async def test_a_target_that_one_gateway_opened_is_asked_by_no_other(
    valkey: str,
    session: aiohttp.ClientSession,
    upstream: FakeUpstream,
    second: FakeUpstream,
    tmp_path: Path,
) -> None:
    sharing = gateways(2, valkey, session, upstream, tmp_path, second=second, health=RESTING)
    async with sharing as (one, other):
        await counted(one)
        await fail(one, upstream)
        await becomes(lambda: health_of(other).condition is Condition.OPEN)

        answer = await other.chat()

    assert answer.headers["X-Provider"] == "second"
    assert len(upstream.requests) == 3


async def test_a_target_that_answers_one_gateway_again_is_open_to_all(
    valkey: str,
    session: aiohttp.ClientSession,
    upstream: FakeUpstream,
    second: FakeUpstream,
    tmp_path: Path,
) -> None:
    async with gateways(2, valkey, session, upstream, tmp_path, second=second, health=SOON) as (
        one,
        other,
    ):
        await counted(one)
        await fail(one, upstream)
        await becomes(lambda: health_of(other).condition is Condition.OPEN)
        await becomes(health_of(one).admits)

        healing = await one.chat()
        await becomes(lambda: health_of(other).condition is Condition.CLOSED)

    assert healing.headers["X-Provider"] == "up"


async def test_without_the_server_each_goes_by_its_own_calls(
    own_valkey: TestValkey,
    session: aiohttp.ClientSession,
    upstream: FakeUpstream,
    second: FakeUpstream,
    tmp_path: Path,
) -> None:
    state = {"on_state_down": "open"}
    sharing = gateways(
        2, own_valkey.url, session, upstream, tmp_path, second=second, health=RESTING, state=state
    )
    async with sharing as (one, other):
        await counted(one)
        own_valkey.kill()
        condition = one.gateway.gateway.serving.shared.condition
        await becomes(lambda: condition.is_down)
        await fail(one, upstream)

        answers = [(await asker.chat()).headers["X-Provider"] for asker in (one, other)]

    assert answers == ["second", "up"]
