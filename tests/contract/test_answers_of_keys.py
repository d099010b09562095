"""Whose kept answers are whose: each key has its own, and nobody else reaches them."""

from pathlib import Path
from typing import Any

import pytest

from gateway.testing.upstream import FakeUpstream, Tokens, reply
from tests.contract.asking import Asker, Reply
from tests.contract.conftest import Begin
from tests.contract.test_keys import SQLITE, Keys, bearer
from tests.contract.test_ledger import rows

TARGETS = [{"provider": "up", "model": "upstream-model"}]
PRICED = [{**TARGETS[0], "card": {"price": {"input": 1000, "output": 1000}}}]
CACHED = {"openai": {"targets": PRICED, "cache": {}}}
PLANS = {"default": {}, "quiet": {"private": True}}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """The keys of the gateways that `begin` starts."""
    return Keys(tmp_path)


async def cached(begin: Begin) -> Asker:
    """Start a gateway with a database, whose model `openai` has a cache."""
    return await begin(state={"url": SQLITE}, plans=PLANS, models=CACHED)


async def chat(caller: Asker, headers: dict[str, str]) -> Reply:
    """Ask the same each time."""
    document: dict[str, Any] = {
        "model": "openai",
        "seed": 1,
        "messages": [{"role": "user", "content": "hi"}],
    }
    return await caller.ask("POST", "/v1/chat/completions", json=document, headers=headers)


async def test_each_key_has_answers_of_its_own_and_anonymous_callers_share_theirs(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    one, other = [(await keys.made())["key"] for _ in range(2)]
    caller = await cached(begin)
    asked = [bearer(one), bearer(other), {}, bearer(one), {}, bearer(other)]

    answers = [await chat(caller, headers) for headers in asked]

    assert [one.headers["X-Cache"] for one in answers] == ["MISS"] * 3 + ["HIT"] * 3
    assert len(upstream.attempts) == 3


async def test_a_plan_that_is_private_neither_reads_nor_writes(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    quiet = (await keys.made("quiet"))["key"]
    caller = await cached(begin)

    answers = [await chat(caller, bearer(quiet)) for _ in range(2)]

    assert [one.headers["X-Cache"] for one in answers] == ["BYPASS", "BYPASS"]
    assert len(upstream.attempts) == 2


async def test_the_same_idempotency_key_is_another_for_each_caller(
    begin: Begin, keys: Keys, upstream: FakeUpstream
) -> None:
    one, other = [(await keys.made())["key"] for _ in range(2)]
    caller = await begin(state={"url": SQLITE}, plans=PLANS)
    named = {"Idempotency-Key": "one"}
    asked = [bearer(one) | named, bearer(other) | named, named, bearer(one) | named]

    answers = [await chat(caller, headers) for headers in asked]

    told = [one.headers.get("Idempotency-Replayed") for one in answers]
    assert told == [None, None, None, "true"]
    assert len(upstream.attempts) == 3


async def test_rows_say_what_the_cache_did_and_the_sum_is_what_was_paid(
    begin: Begin, keys: Keys, upstream: FakeUpstream, tmp_path: Path
) -> None:
    one = await keys.made()
    caller = await cached(begin)
    upstream.will(reply("hello", usage=Tokens(10, 20)))

    for _ in range(3):
        await chat(caller, bearer(one["key"]))

    kept = rows(tmp_path)
    assert [row["cache"] for row in kept] == ["miss", "hit", "hit"]
    assert {row["shared_with"] for row in kept} == {""}
    assert {row["key_id"] for row in kept} == {one["id"]}
    assert sum(row["cost_usd_micros"] for row in kept) == 30_000
    assert sum(row["output_tokens"] for row in kept) == 20
