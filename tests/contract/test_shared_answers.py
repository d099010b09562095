"""Several gateways on one Valkey: one cache, and one call for one `Idempotency-Key`."""

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp

from gateway.testing.actions import Hold
from gateway.testing.upstream import FakeUpstream, hang_before_head, reply, status, stream
from tests.contract.asking import Asker, assert_refused
from tests.contract.test_idempotency import STREAMS, post
from tests.contract.test_ledger import entries_of
from tests.contract.test_shared import counted, gateways, unhurried
from tests.valkey import TestValkey
from tests.web.raw_http import becomes

__all__ = ["unhurried"]
CACHED = {
    "openai": {"targets": [{"provider": "up", "model": "upstream-model"}], "cache": {"ttl_s": 60}}
}
Session = aiohttp.ClientSession


async def test_what_one_has_answered_another_has_kept(
    valkey: str, session: Session, upstream: FakeUpstream, tmp_path: Path
) -> None:
    upstream.will(stream("one ", "two"))
    async with gateways(2, valkey, session, upstream, tmp_path, models=CACHED) as (one, other):
        await all_up(one, other)
        await one.chat(seed=1, stream=True)

        hit = await other.chat(seed=1, stream=True)
        whole = await other.chat(seed=1)

    assert (hit.headers["X-Cache"], whole.headers["X-Cache"]) == ("HIT", "HIT")
    assert hit.words == "one two"
    assert len(upstream.attempts) == 1


@STREAMS
async def test_fifty_at_two_gateways_are_one_call(
    valkey: str, session: Session, upstream: FakeUpstream, tmp_path: Path, *, is_stream: bool
) -> None:
    go = asyncio.Event()
    answer = reply("one two")
    upstream.will(lambda request: [Hold(go), *answer(request)])
    async with gateways(2, valkey, session, upstream, tmp_path) as both:
        await all_up(*both)

        asked = [
            asyncio.ensure_future(post(both[number % 2], stream=is_stream)) for number in range(50)
        ]
        await upstream.wait_requests()
        go.set()
        answers = await asyncio.gather(*asked)
        kept = [entry for one in both for entry in entries_of(one)]

    assert {one.status for one in answers} == {200}
    assert len({one.body for one in answers}) == 1
    assert Counter(one.headers.get("Idempotency-Replayed") for one in answers) == {
        None: 1,
        "true": 49,
    }
    assert len(upstream.attempts) == 1
    assert len(kept) == 1


async def test_another_request_under_the_same_key_is_refused_everywhere(
    valkey: str, session: Session, upstream: FakeUpstream, tmp_path: Path
) -> None:
    async with gateways(2, valkey, session, upstream, tmp_path) as (one, other):
        await all_up(one, other)
        await post(one)

        refused = await post(other, seed=1)

    assert_refused(refused, 409, "idempotency_key_reused", "Idempotency-Key")


async def test_who_waits_at_another_gateway_makes_what_the_first_could_not(
    valkey: str, session: Session, upstream: FakeUpstream, tmp_path: Path
) -> None:
    go = asyncio.Event()
    failed = status(500)
    upstream.will(lambda request: [Hold(go), *failed(request)], reply("hello"))
    async with gateways(2, valkey, session, upstream, tmp_path) as (one, other):
        await all_up(one, other)
        first = asyncio.ensure_future(post(one))
        await upstream.wait_requests()
        second = asyncio.ensure_future(post(other))
        go.set()
        statuses = [(await first).status, (await second).status]

    assert statuses == [502, 200]
    assert len(upstream.attempts) == 2


async def test_without_the_server_each_gateway_keeps_for_itself(
    own_valkey: TestValkey, session: Session, upstream: FakeUpstream, tmp_path: Path
) -> None:
    state = {"on_state_down": "open"}
    sections = {"state": state, "models": CACHED}
    async with gateways(1, own_valkey.url, session, upstream, tmp_path, **sections) as (one,):
        await all_up(one)
        own_valkey.kill()
        condition = one.gateway.gateway.serving.shared.condition
        await becomes(lambda: condition.is_down)

        posts = [await post(one) for _ in range(2)]
        chats = [await one.chat(seed=1) for _ in range(2)]

    assert [answer.status for answer in posts + chats] == [200] * 4
    assert posts[1].headers["Idempotency-Replayed"] == "true"
    assert chats[1].headers["X-Cache"] == "HIT"


async def test_a_claim_is_free_again_when_its_gateway_has_stopped(
    valkey: str, session: Session, upstream: FakeUpstream, tmp_path: Path
) -> None:
    upstream.will(hang_before_head(), reply("hello"))
    async with gateways(1, valkey, session, upstream, tmp_path) as (one,):
        await all_up(one)
        asked = asyncio.ensure_future(post(one))
        await upstream.wait_requests()
        asked.cancel()
    (tmp_path / "gateway0").rename(tmp_path / "stopped")

    async with gateways(1, valkey, session, upstream, tmp_path) as (one,):
        await all_up(one)
        answered = await post(one)

    assert answered.status == 200
    assert "Idempotency-Replayed" not in answered.headers


async def all_up(*askers: Asker) -> None:
    """Wait until each can keep and count."""
    for asker in askers:
        await counted(asker)
        keeping = asker.gateway.gateway.serving.shared._keeping  # type: ignore[attr-defined]  # noqa: SLF001
        await becomes(lambda keeping=keeping: keeping.is_up)  # type: ignore[misc]
