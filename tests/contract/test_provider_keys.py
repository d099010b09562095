"""Several keys of one provider: they take turns, and one that fails rests while the others work."""

import asyncio
from typing import Any

import openai
import pytest

from gateway.testing.actions import Answer
from gateway.testing.clock import ManualClock
from gateway.testing.http_wire import UpstreamRequest
from gateway.testing.upstream import (
    FakeUpstream,
    hang_in_stream,
    rate_limit,
    reply,
    status,
)
from tests.contract.administering import SECRET, administer
from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import Begin
from tests.web.raw_http import becomes

FIRST, SECOND, THIRD = "key-one-of-no-shape", "key-two-of-no-shape", "key-three-of-no-shape"
HEALTH = {"failures": 5, "cooldown_s": 5, "rest_s": 300}
OPERATED = {"admin": {"secret": SECRET}, "health": HEALTH}


def keyed(upstream: FakeUpstream, *keys: str, **more: Any) -> dict[str, Any]:
    """Return sections with the provider `up`, which has these keys."""
    own = {"settings": {"base_url": upstream.url}, "keys": list(keys), **more}
    return {"more": {"up": {"kind": "openai", **own}}, **OPERATED}


def used(upstream: FakeUpstream) -> list[str]:
    """Return the keys that the upstream was asked with."""
    return [one.headers["authorization"].removeprefix("Bearer ") for one in upstream.requests]


def by_key(answers: dict[str, Answer]) -> Answer:
    """Answer as the key says that is presented, `hello` for every other."""

    def answer(request: UpstreamRequest) -> Any:  # Any: what the answer plays.
        key = request.headers["authorization"].removeprefix("Bearer ")
        return answers.get(key, reply("hello"))(request)

    return answer


async def health_of(caller: Asker) -> dict[str, Any]:
    """Return what the operator is told of each target and key."""
    told = (await administer(caller, "GET", "/admin/targets")).json()["targets"]
    return {one["target"]: one for one in told}


async def test_calls_go_through_the_keys_in_turn_and_empty_ones_are_skipped(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(**keyed(upstream, FIRST, "", THIRD))

    replies = [await caller.chat() for _ in range(4)]

    assert {one.status for one in replies} == {200}
    assert used(upstream) == [FIRST, THIRD, FIRST, THIRD]
    assert {one.headers["X-Provider"] for one in replies} == {"up"}
    assert {"up#1", "up#3"} <= (await health_of(caller)).keys()


@pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (status(401), "credential"),
        (status(429, error_code="insufficient_quota"), "quota"),
        (rate_limit(retry_after_s=30), "rate_limit"),
    ],
    ids=["refused", "used up", "limited"],
)
async def test_a_key_that_fails_passes_the_call_to_the_next_and_rests_for_all_models(
    begin: Begin, upstream: FakeUpstream, fault: Answer, why: str, *, is_stream: bool
) -> None:
    clock = ManualClock()
    caller = await begin(clock=clock, **keyed(upstream, FIRST, SECOND))
    upstream.default = by_key({FIRST: fault})

    replies = [await caller.chat(stream=is_stream) for _ in range(3)]
    of_family = await caller.chat(model="up-other", stream=is_stream)
    told = await health_of(caller)

    assert {one.status for one in [*replies, of_family]} == {200}
    assert used(upstream) == [FIRST, *[SECOND] * 4]
    assert (told["up#1"]["state"], told["up#1"]["why"]) == ("open", why)
    assert told["up#1"]["next_probe_s"] == (30 if why == "rate_limit" else 300)
    assert told["up#2"]["state"] == "closed"
    assert told["up/upstream-model"]["state"] == "closed"
    assert '"failed_attempts":["up#1/upstream-model: ' in caller.gateway.lines()


async def test_a_key_that_has_rested_is_looked_at_by_one_call_and_takes_its_turns_again(
    begin: Begin, upstream: FakeUpstream
) -> None:
    clock = ManualClock()
    caller = await begin(clock=clock, **keyed(upstream, FIRST, SECOND))
    upstream.default = by_key({FIRST: rate_limit(retry_after_s=30)})
    await caller.chat()
    clock.advance(30)
    upstream.default = reply("hello")
    upstream.requests.clear()

    for _ in range(4):
        assert (await caller.chat()).status == 200

    assert sorted(used(upstream)) == [FIRST, FIRST, SECOND, SECOND]
    assert (await health_of(caller))["up#1"]["state"] == "closed"


async def test_a_host_that_rested_is_looked_at_by_a_call_whichever_key_is_refused(
    begin: Begin, upstream: FakeUpstream
) -> None:
    clock = ManualClock()
    caller = await begin(clock=clock, **keyed(upstream, FIRST, SECOND))
    upstream.default = status(503)
    while (await health_of(caller))["up/upstream-model"]["state"] != "open":
        await caller.chat()
    upstream.default = by_key({FIRST: status(401), SECOND: status(401)})
    clock.advance(4.5)  # When a provider with one key would look.
    upstream.requests.clear()
    await asyncio.sleep(0.3)
    assert upstream.requests == []
    upstream.default = by_key({FIRST: status(401)})

    clock.advance(1)

    assert (await caller.chat()).status == 200


async def test_when_all_keys_rest_calls_fail_at_once_and_say_when_to_come_back(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(clock=ManualClock(), **keyed(upstream, FIRST, SECOND))
    upstream.default = by_key(
        {FIRST: rate_limit(retry_after_s=30), SECOND: rate_limit(retry_after_s=20)}
    )
    limited = await caller.chat()

    refused = await caller.chat()

    assert_refused(limited, 429, "upstream_rate_limited")
    assert_refused(refused, 503, "unavailable")
    assert refused.headers["Retry-After"] == "20"
    assert len(upstream.requests) == 2


async def test_an_upstream_that_breaks_off_is_no_fault_of_its_keys(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(clock=ManualClock(), **keyed(upstream, FIRST, SECOND))
    upstream.default = status(503)

    for _ in range(4):
        await caller.chat()
    told = await health_of(caller)

    assert told["up/upstream-model"]["state"] == "open"
    assert [told[name]["failures"] for name in ("up#1", "up#2")] == [0, 0]
    assert len(upstream.requests) == 5


@pytest.mark.parametrize("code", [403, 404])
async def test_a_model_that_one_key_lacks_is_asked_with_the_others_and_costs_no_budget(
    begin: Begin, upstream: FakeUpstream, code: int
) -> None:
    clock = ManualClock()
    retries = {"budget_percent": 0, "floor": "1/hour"}
    caller = await begin(clock=clock, retries=retries, **keyed(upstream, FIRST, SECOND))
    upstream.default = by_key({FIRST: status(code)})

    replies = [await caller.chat() for _ in range(4)]
    told = await health_of(caller)
    of_another = await caller.chat(model="up-other")
    asked = used(upstream)
    clock.advance(300)
    await caller.chat()
    await caller.chat()

    assert {one.status for one in [*replies, of_another]} == {200}
    assert asked == [FIRST, *[SECOND] * 4, FIRST, SECOND]
    assert (told["up#1"]["state"], told["up#1"]["lacking"]) == ("closed", ["upstream-model"])
    assert told["up/upstream-model"]["failures"] == 0
    assert FIRST in used(upstream)[len(asked) :]


async def test_what_no_key_can_help_with_goes_to_the_next_target(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, **keyed(upstream, FIRST, SECOND))
    upstream.default = status(400, "this model's maximum context length is 10 tokens")

    answer = await caller.chat()

    assert (answer.status, answer.headers["X-Provider"]) == (200, "second")
    assert len(upstream.requests) == 1


async def test_many_keys_that_are_refused_leave_an_attempt_to_the_next_target(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, **keyed(upstream, *[f"{FIRST}-{number}" for number in range(6)]))
    upstream.default = status(401)

    replies = [await caller.chat() for _ in range(3)]

    assert {one.status for one in replies} == {200}
    assert len(upstream.requests) == 6
    assert len(second.requests) == 3


async def test_the_keys_share_one_gate(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(**keyed(upstream, FIRST, SECOND, concurrent=1, queue=1))
    upstream.default = hang_in_stream(1)

    first = asyncio.ensure_future(caller.chat(stream=True))
    await upstream.wait_requests(1)
    waiting = asyncio.ensure_future(caller.chat(stream=True))
    target = caller.gateway.gateway.serving.services.router.find("openai").targets[0]
    await becomes(lambda: getattr(target.connected.gate, "waiting", 0) == 1)
    refused = await caller.chat(stream=True)
    first.cancel()
    waiting.cancel()

    assert_refused(refused, 503, "unavailable")
    assert len(upstream.requests) == 1


async def test_keys_are_named_by_their_number_and_seen_nowhere(
    begin: Begin, upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    caller = await begin(**keyed(upstream, FIRST, SECOND))
    upstream.default = by_key(
        {FIRST: status(401, f"{FIRST} is wrong"), SECOND: status(400, f"{SECOND}, hm")}
    )

    replies = [await caller.chat(), await caller.chat()]
    metrics = await caller.ask("GET", "/metrics", is_admin=True)
    told = await administer(caller, "GET", "/admin/targets")

    log = capsys.readouterr().err
    lines = caller.gateway.lines()
    seen = [*(one.text for one in replies), metrics.text, told.text, log, lines]
    assert not any(key in text for key in (FIRST, SECOND) for text in seen)
    assert 'dynagate_failed_attempts_total{failure="credential",provider="up#1"} 1.0' in (
        metrics.text
    )
    assert 'dynagate_target_open{target="up#1"} 1.0' in metrics.text
    assert '"target":"up#2/upstream-model"' in lines
    assert "target up#1 is open" in log


async def test_openais_client_meets_one_provider(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(**keyed(upstream, FIRST, SECOND))
    upstream.default = by_key({FIRST: status(401)})
    turns: Any = [{"role": "user", "content": "hi"}]
    async with openai.AsyncOpenAI(
        base_url=f"{caller.gateway.url}/v1", api_key="none", max_retries=0
    ) as client:
        whole = await client.chat.completions.create(model="openai", messages=turns)
        pieces = await client.chat.completions.create(model="openai", messages=turns, stream=True)
        said = "".join([piece.choices[0].delta.content or "" async for piece in pieces])

    assert (whole.choices[0].message.content, said) == ("hello", "hello")


async def test_a_provider_whose_keys_are_all_empty_is_not_configured(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second, **keyed(upstream, "", ""))

    answer = await caller.chat()
    ready = await caller.get("/health/readiness")

    assert answer.headers["X-Provider"] == "second"
    assert "all of its keys are empty" in ready.text
