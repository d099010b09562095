"""Section 5: what calls may cost is reserved before them, and settled after them."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.clock import ManualClock
from gateway.testing.openai_documents import Tokens
from gateway.testing.upstream import FakeUpstream, body, reply, status, stream
from tests.contract.administering import KEYS, SECRET, administer
from tests.contract.asking import Asker, assert_refused
from tests.contract.conftest import Begin
from tests.contract.test_keys import GENERATE, Keys, bearer
from tests.contract.test_plans import chat, with_key
from tests.web.raw_http import becomes

# A token in costs a millionth of a dollar, a token out ten.
PRICE = {"input": 1, "output": 10}
USED = Tokens(100, 10)  # 200 millionths.
COST = 200


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """The command line of the gateways that `begin` starts."""
    return Keys(tmp_path)


def priced(price: JsonObject | None = None) -> JsonObject:
    """Return models that cost something, beside one that is free and one that nobody knows."""
    card = {"price": PRICE if price is None else price}
    target = {"provider": "up", "model": "upstream-model"}
    return {
        "openai": {"targets": [{**target, "card": card}]},
        "unknown": {"targets": [{**target, "model": "nobody-knows"}]},
        "either": {"targets": [{**target, "model": "nobody-knows"}, {**target, "card": card}]},
    }


async def with_budget(
    begin: Begin, keys: Keys, usd: float, *, per: str = "day", clock: Any = None, **plan: Any
) -> tuple[Asker, str]:
    """Return a gateway of priced models, and a key that may spend so much."""
    plans = {"b": {"budget": {"usd": usd, "per": per}, **plan}}
    return await with_key(begin, keys, "b", plans=plans, models=priced(), clock=clock)


async def test_what_is_spent_is_settled_and_the_call_too_many_is_refused(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    caller, key = await with_budget(begin, keys, 0.0010)  # 1,000 millionths.
    upstream.default = reply("hello", usage=USED)

    # 1 millionth for "hi", 10 for each token of the answer.
    good = [await chat(caller, key, max_tokens=50) for _ in range(3)]
    refused = await chat(caller, key, max_tokens=50)
    smaller = await chat(caller, key, max_tokens=39)

    assert [reply.status for reply in good] == [200, 200, 200]
    error = assert_refused(refused, 429, "insufficient_quota")
    assert "may cost $0.000501, $0.0004 are left" in error["message"]
    assert smaller.status == 200
    assert "X-RateLimit-Limit" not in refused.headers


async def test_a_refused_call_says_when_the_budget_is_new(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    clock = ManualClock()  # The first of January 2024, at midnight.
    clock.advance(20 * 3600)
    upstream.default = reply("hello", usage=USED)
    day, of_day = await with_budget(begin, keys, 0.0006, clock=clock)
    await chat(day, of_day, max_tokens=50)
    refused = await chat(day, of_day, max_tokens=50)
    clock.advance(4 * 3600)
    after = await chat(day, of_day, max_tokens=50)

    assert refused.headers["Retry-After"] == str(4 * 3600)
    assert_refused(refused, 429, "insufficient_quota")
    assert refused.json()["error"]["details"]["reset_time"] == "2024-01-02T00:00:00Z"
    assert after.status == 200


async def test_a_budget_of_a_month_ends_with_it(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    clock = ManualClock()
    clock.advance(40 * 86400)  # February.
    upstream.default = reply("hello", usage=USED)
    caller, key = await with_budget(begin, keys, 0.0006, per="month", clock=clock)
    await chat(caller, key, max_tokens=50)

    refused = await chat(caller, key, max_tokens=50)

    error = assert_refused(refused, 429, "insufficient_quota")
    assert error["details"]["reset_time"] == "2024-03-01T00:00:00Z"
    assert clock.now() == datetime(2024, 2, 10, tzinfo=UTC)


async def test_calls_at_once_never_reserve_more_than_the_budget(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    caller, key = await with_budget(begin, keys, 0.0016)
    release = asyncio.Event()
    upstream.default = stream("a", "b", hold=release, usage=USED)
    calls = [asyncio.ensure_future(chat(caller, key, max_tokens=50, stream=True)) for _ in range(8)]
    await upstream.wait_requests(3)
    await becomes(lambda: sum(call.done() for call in calls) == 5)

    release.set()
    replies = await asyncio.gather(*calls)

    assert sorted(reply.status for reply in replies) == [200] * 3 + [429] * 5
    upstream.default = reply("hello", usage=USED)
    left = 1600 - 3 * COST
    assert (await chat(caller, key, max_tokens=left // 10 - 1)).status == 200


async def test_what_failed_or_is_free_costs_nothing(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    caller, key = await with_budget(begin, keys, 0.0006)
    upstream.will(status(400, "no"), reply("hello", usage=USED))

    failed = await chat(caller, key, max_tokens=50)
    good = await chat(caller, key, max_tokens=50)
    refused = await chat(caller, key, max_tokens=50)
    free = await caller.ask("GET", f"{GENERATE}&model=chaotic", headers=bearer(key))

    assert [failed.status, good.status, refused.status, free.status] == [400, 200, 429, 200]


async def test_a_target_without_a_known_price_is_passed_over(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    caller, key = await with_budget(begin, keys, 1)

    unknown = await chat(caller, key, model="unknown")
    either = await chat(caller, key, model="either")

    error = assert_refused(unknown, 403, "model_not_allowed")
    assert "is not known to its operator" in error["message"]
    assert either.status == 200
    assert upstream.attempts == ["upstream-model"]


async def test_a_providers_own_figure_is_what_is_settled(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    caller, key = await with_budget(begin, keys, 0.0010)
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.0009}
    answer = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}}]}
    document = {"id": "1", "object": "chat.completion", "model": "m", **answer, "usage": usage}
    upstream.will(body(json.dumps(document).encode()))

    first = await chat(caller, key, max_tokens=9)
    refused = await chat(caller, key, max_tokens=10)

    assert first.status == 200
    assert_refused(refused, 429, "insufficient_quota")


async def test_anonymous_callers_of_a_public_gateway_share_a_budget(
    begin: Begin, upstream: FakeUpstream
) -> None:
    public = {
        "server": {"host": "0.0.0.0", "trusted_proxies": ["127.0.0.1"]},  # noqa: S104 - the case.
        "auth": {"mode": "open", "open_to": "world"},
        "models": priced(),
    }
    caller = await begin(limits={"anonymous": {"budget": {"usd": 0.0006, "per": "day"}}}, **public)
    upstream.default = reply("hello", usage=USED)
    document = {"model": "openai", "max_tokens": 50}
    document["messages"] = [{"role": "user", "content": "hi"}]

    async def call(address: str) -> Any:
        headers = {"X-Forwarded-For": address}
        return await caller.ask("POST", "/v1/chat/completions", json=document, headers=headers)

    first, second = await call("203.0.113.1"), await call("203.0.113.2")

    assert first.status == 200
    assert_refused(second, 429, "insufficient_quota")


async def test_the_operator_sees_every_window_of_a_plan(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    plan = {"requests": "9/minute", "tokens": "100000/minute", "budget": {"usd": 1, "per": "month"}}
    plans, admin = {"b": plan}, {"secret": SECRET}
    caller, key = await with_key(begin, keys, "b", plans=plans, models=priced(), admin=admin)
    upstream.default = reply("hello", usage=USED)
    await chat(caller, key, max_tokens=50)
    (found,) = (await administer(caller, "GET")).json()["data"]

    told = (await administer(caller, "GET", f"{KEYS}/{found['id']}/limits")).json()

    windows = [(one["counts"], one["limit"], one["used"]) for one in told["windows"]]
    assert windows == [
        ("requests", 9, 1),
        ("tokens", 100_000, 110),
        ("cost_usd_micros", 1_000_000, COST),
    ]
    assert told["windows"][2]["remaining"] == 1_000_000 - COST
    assert told["allows"]["budget"] == {"usd": 1.0, "per": "month"}
