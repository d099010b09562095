"""Who is asked first, by each strategy, and that the others still follow."""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.testing.clock import ManualClock
from gateway.testing.upstream import FakeUpstream, hang_in_stream, status
from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import Begin
from tests.docs.pages import blocks, page, section
from tests.running import run_gateway
from tests.web.raw_http import becomes

MANY = {"anonymous": {"requests": "1000/hour", "concurrent": 50}}


@pytest.fixture
async def third() -> AsyncIterator[FakeUpstream]:
    """One more upstream, for `c`."""
    async with FakeUpstream() as running:
        yield running


@pytest.fixture
async def shown(
    session: Any,  # Any: the fixture's own type.
    upstream: FakeUpstream,
    second: FakeUpstream,
    third: FakeUpstream,
    tmp_path: Path,
) -> AsyncIterator[Asker]:
    """A gateway with the models that docs/routing.md shows."""
    (example,) = blocks(section(page("docs/routing.md"), "Who is asked first"), "yaml")
    hosts = {"a": upstream, "b": second, "c": third}
    rest = {
        "providers": {
            name: {"kind": "openai", "settings": {"base_url": host.url}}
            for name, host in hosts.items()
        },
        "limits": MANY,
    }
    text = example + "".join(f"{name}: {json.dumps(value)}\n" for name, value in rest.items())
    async with run_gateway(text, tmp_path, clock=ManualClock()) as running:
        yield Asker(session, running)


async def asked(caller: Asker, model: str, times: int, text: str = "hi", **fields: Any) -> str:
    """Return who answered so many calls, a letter each."""
    answers = [await caller.chat(text, model=model, **fields) for _ in range(times)]
    return "".join(one.headers["X-Provider"] for one in answers)


async def test_in_turn_each_is_first_and_the_next_tier_waits(shown: Asker) -> None:
    assert await asked(shown, "in-turn", 6) == "ababab"


async def test_who_fails_is_followed_by_its_tier_and_then_by_the_next(
    shown: Asker, upstream: FakeUpstream, second: FakeUpstream, third: FakeUpstream
) -> None:
    upstream.will(status(503))
    second.will(status(503))

    assert await asked(shown, "in-turn", 1) == "c"
    assert [len(one.requests) for one in (upstream, second, third)] == [1, 1, 1]


async def test_a_canary_gets_its_share(shown: Asker) -> None:
    answered = await asked(shown, "canary", 200)

    # 10 are expected; fewer than 1 or more than 40 come once in 20,000 runs.
    assert 1 <= answered.count("b") <= 40


async def test_least_in_flight_fills_each_for_its_weight(
    shown: Asker, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    upstream.default = second.default = hang_in_stream(1)

    async def arrived(count: int) -> None:
        await becomes(lambda: len(upstream.requests) + len(second.requests) >= count)

    calls = []
    for number in range(8):
        calls.append(asyncio.ensure_future(shown.chat(model="spread", stream=True)))
        await arrived(number + 1)
    for call in calls:
        call.cancel()

    assert (len(upstream.requests), len(second.requests)) == (6, 2)


async def test_the_fastest_lately_is_first_and_is_measured_again_after_a_minute(
    shown: Asker,
) -> None:
    await asked(shown, "quick", 2)
    a, b = healths(shown)
    a.whole_s, b.whole_s = 3.0, 2.0
    assert await asked(shown, "quick", 1) == "b"
    a.whole_s, b.whole_s = 0.0, 2.0
    assert await asked(shown, "quick", 1) == "a"

    clock = shown.gateway.gateway.serving.services.clock
    assert isinstance(clock, ManualClock)
    a.whole_s, b.whole_s = 0.0, 2.0
    clock.advance(61)

    assert sorted(await asked(shown, "quick", 2)) == ["a", "b"]


async def test_the_cheapest_is_first(shown: Asker) -> None:
    assert await asked(shown, "cheap", 3) == "bbb"


async def test_what_begins_alike_goes_to_the_same_target(
    shown: Asker, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    answered = [await asked(shown, "cached", 2, f"question {number}") for number in range(20)]

    assert {one[0] == one[1] for one in answered} == {True}
    assert {one[0] for one in answered} == {"a", "b"}


async def test_a_conversation_stays_where_it_began_and_moves_only_when_it_must(
    shown: Asker, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    begun: list[dict[str, Any]] = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "and kind"}]},
    ]
    later = [*begun, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "so?"}]
    home = await asked(shown, "cached", 1, messages=begun)
    assert await asked(shown, "cached", 3, messages=later) == home * 3
    (upstream if home == "a" else second).will(status(503))

    moved = await asked(shown, "cached", 2, messages=later)

    assert moved == ("ba" if home == "a" else "ab")


async def test_a_caller_stays_where_it_is(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    targets = [{"provider": "up", "model": "m"}, {"provider": "second", "model": "m"}]
    sticky = {"targets": targets, "strategy": "sticky", "sticky_by": "caller"}
    caller = await begin(second, models={"mine": sticky})

    answers = [await caller.chat(f"question {number}", model="mine") for number in range(6)]

    assert len({one.headers["X-Provider"] for one in answers}) == 1


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "soon", "", "٣", "9" * 16])
async def test_a_deadline_that_is_none_is_refused(caller: Asker, given: str) -> None:
    document = {"model": "openai", "messages": [{"role": "user", "content": "hi"}]}
    headers = {"X-Deadline-Ms": given}

    refused = await caller.ask("POST", "/v1/chat/completions", json=document, headers=headers)

    assert_refused(refused, 400, "invalid_parameter", "X-Deadline-Ms")


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
async def test_a_callers_deadline_ends_its_call_and_says_nothing_of_the_target(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, *, is_stream: bool
) -> None:
    caller = await begin(second, health={"failures": 1})
    upstream.will(hang_in_stream(0))

    late = await caller.post(
        "/v1/chat/completions",
        {
            "model": "openai",
            "messages": [{"role": "user", "content": "hi"}],
            "stream": is_stream,
        },
        X_Deadline_Ms="1000",
    )

    assert_refused(late, 504, "deadline_exceeded")
    await upstream.wait_abandoned()
    assert second.requests == []
    assert (await caller.chat()).headers["X-Provider"] == "up"


async def test_a_target_that_usually_takes_longer_is_not_asked_first(shown: Asker) -> None:
    a, b = healths(shown)
    document = {"model": "cheap", "messages": [{"role": "user", "content": "hi"}]}
    a.whole_s, b.whole_s = 0.001, 100.0

    hurried = await shown.post("/v1/chat/completions", document, X_Deadline_Ms="60000")
    patient = await shown.post("/v1/chat/completions", document, X_Deadline_Ms="600000")

    assert hurried.headers["X-Provider"] == "a"
    assert patient.headers["X-Provider"] == "b"
    assert math.isfinite(a.whole_s)


def healths(caller: Asker) -> tuple[Any, Any]:  # Any: what is kept of `a` and of `b`.
    """Return what is known of the two targets."""
    health = caller.gateway.gateway.serving.services.health
    return health.of("a/m"), health.of("b/m")
