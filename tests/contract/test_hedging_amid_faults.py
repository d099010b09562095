"""Hedged calls and copies amid every fault at once: each ends, and nothing is held afterwards."""

import asyncio
import json
from collections import Counter
from random import Random

import aiohttp
import pytest

from gateway.testing.actions import Action, Answer, Pause
from gateway.testing.http_wire import UpstreamRequest
from gateway.testing.upstream import (
    FakeUpstream,
    empty,
    hang_before_head,
    hang_in_stream,
    rate_limit,
    reply,
    reset,
    status,
    truncated,
)
from tests.contract.asking import Asker, Reply
from tests.contract.conftest import Begin
from tests.contract.test_hedging import PATHS, ask
from tests.web.raw_http import becomes

WORDS = "one two three"
FAULTS = (
    status(400),
    status(503),
    rate_limit(),
    reset(),
    reset(after=1),
    empty(),
    truncated(after=1),
    hang_before_head(),
    hang_in_stream(0),
    hang_in_stream(2),
)
CALLS, AT_ONCE = 600, 20


def wild(chance: Random) -> Answer:
    """Answer well as often as not, sooner or later."""

    def answer(request: UpstreamRequest) -> list[Action]:
        chosen = reply(WORDS) if chance.random() < 0.5 else chance.choice(FAULTS)
        return [Pause(chance.choice((0, 0.004, 0.006, 0.02))), *chosen(request)]

    return answer


async def one_call(caller: Asker, chance: Random) -> str:
    """Ask in one way or the other, and leave now and then; return what came of it."""
    path, is_stream = chance.choice(PATHS), chance.random() < 0.5
    asking = asyncio.ensure_future(ask(caller, path, is_stream=is_stream))
    if chance.random() < 0.1:
        asyncio.get_running_loop().call_later(chance.choice((0.004, 0.01)), asking.cancel)
    try:
        answer = await asking
    except asyncio.CancelledError:
        return "left"
    except aiohttp.ClientError:
        return "cut"
    if answer.status != 200:
        return str(answer.status)
    if is_stream and not answer.is_done:
        return "broken off"
    assert _words(answer, path).strip() == WORDS
    return "answered"


def _words(answer: Reply, path: str) -> str:
    if answer.is_stream:
        return answer.words
    is_json = path == "forward"
    return str(answer.json()["choices"][0]["message"]["content"]) if is_json else answer.text


@pytest.mark.slow
async def test_every_call_ends_and_nothing_is_held_afterwards(
    begin: Begin,
    upstream: FakeUpstream,
    second: FakeUpstream,
    capfd: pytest.CaptureFixture[str],
) -> None:
    chance = Random(7)  # noqa: S311 - the same faults each time.
    targets = [{"provider": "up", "model": "m"}, {"provider": "second", "model": "m"}]
    hedge = {"after_s": 0.005, "whole_after_s": 0.005, "budget_percent": 100}
    shadow = {"model": "trial", "percent": 20, "timeout_s": 1}
    caller = await begin(
        second,
        models={
            "openai": {"targets": targets, "hedge": hedge, "shadow": shadow},
            "trial": {"targets": targets[1:]},
        },
        limits={"anonymous": {"requests": "10000/hour", "concurrent": 100}},
        deadlines={"first_token_s": 0.3, "between_tokens_s": 0.3, "total_s": 1},
        health={"failures": 1000},
        retries={"times": 1, "base_s": 0.005},
    )
    upstream.default = second.default = wild(chance)
    places = asyncio.Semaphore(AT_ONCE)

    async def place() -> str:
        async with places:
            return await one_call(caller, chance)

    ended = Counter(await asyncio.gather(*(place() for _ in range(CALLS))))

    assert ended.total() == CALLS
    assert ended["answered"] > CALLS / 3
    assert "500" not in ended
    serving = caller.gateway.gateway.serving
    router = serving.services.router
    known = [*router.find("openai").targets, *router.find("trial").targets]
    await becomes(lambda: not any(target.health.in_flight for target in known))
    await becomes(lambda: not any(target.connected.gate.in_flight for target in known))  # type: ignore[attr-defined]  # Of its own class.
    await becomes(lambda: not serving.watches.open and not serving.services.metrics.in_flight)
    hedged = [json.loads(line).get("hedged") for line in caller.gateway.lines().splitlines()]
    assert {"won", "lost"} <= set(hedged)
    assert '"trace"' not in capfd.readouterr().err
