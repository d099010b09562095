"""Section 5: with `limits.wait_s` a caller may wait instead of being refused."""

import asyncio

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream, reply, stream
from tests.contract.asking import assert_refused
from tests.contract.conftest import Begin
from tests.contract.streaming import Pings, ask
from tests.web.raw_http import becomes

GENERATE = "/api/generate_response?user_input=hi"


def waiting(requests: str, concurrent: int, *, wait_s: float = 60, places: int = 10) -> JsonObject:
    """Return the section that lets anonymous callers wait."""
    anonymous = {"requests": requests, "concurrent": concurrent}
    return {"anonymous": anonymous, "wait_s": wait_s, "waiting": places}


async def test_a_caller_waits_for_a_place_and_gets_it(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(limits=waiting("100/hour", 2))
    release = asyncio.Event()
    upstream.will(*[stream("a", hold=release)] * 2)
    upstream.default = reply("later")
    two = [asyncio.ensure_future(caller.get(f"{GENERATE}&stream=true")) for _ in range(2)]
    await upstream.wait_requests(2)
    third = asyncio.ensure_future(caller.get(GENERATE))
    room = caller.gateway.gateway.serving.services.waiting
    await becomes(lambda: room.waiting == 1)

    release.set()
    answer = await third
    await asyncio.gather(*two)

    assert (answer.status, answer.text) == (200, "later")
    assert room.waiting == 0


async def test_one_more_than_may_wait_is_refused_at_once(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(limits=waiting("100/hour", 1, places=1))
    release = asyncio.Event()
    upstream.will(stream("a", hold=release))
    first = asyncio.ensure_future(caller.get(f"{GENERATE}&stream=true"))
    await upstream.wait_requests(1)
    second = asyncio.ensure_future(caller.get(GENERATE))
    room = caller.gateway.gateway.serving.services.waiting
    await becomes(lambda: room.waiting == 1)

    refused = await caller.get(GENERATE)
    release.set()
    answers = await asyncio.gather(first, second)

    assert_refused(refused, 429, "concurrency_limit_exceeded")
    assert [answer.status for answer in answers] == [200, 200]


async def test_nobody_waits_for_a_window_that_ends_too_late(begin: Begin) -> None:
    caller = await begin(limits=waiting("1/hour", 5))
    await caller.get(GENERATE)

    refused = await caller.get(GENERATE)

    assert_refused(refused, 429, "rate_limit_exceeded")
    assert refused.headers["Retry-After"] == "3600"


async def test_a_caller_waits_for_a_window_that_ends_soon(begin: Begin) -> None:
    caller = await begin(limits=waiting("1/second", 5))

    answers = [await caller.get(f"{GENERATE}&model=chaotic") for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 200]


async def test_who_leaves_while_waiting_makes_room(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(limits=waiting("100/hour", 1))
    release = asyncio.Event()
    upstream.will(stream("a", hold=release))
    first = asyncio.ensure_future(caller.get(f"{GENERATE}&stream=true"))
    await upstream.wait_requests(1)
    second = asyncio.ensure_future(caller.get(GENERATE))
    room = caller.gateway.gateway.serving.services.waiting
    await becomes(lambda: room.waiting == 1)

    second.cancel()
    await becomes(lambda: room.waiting == 0)
    release.set()
    await first
    after = await caller.get(GENERATE)

    assert after.headers["X-RateLimit-Remaining"] == "98"


async def test_waiting_ends_with_the_refusal(begin: Begin, upstream: FakeUpstream) -> None:
    caller = await begin(limits=waiting("100/hour", 1, wait_s=0.3))
    release = asyncio.Event()
    upstream.will(stream("a", hold=release))
    first = asyncio.ensure_future(caller.get(f"{GENERATE}&stream=true"))
    await upstream.wait_requests(1)

    refused = await caller.get(GENERATE)
    release.set()
    await first

    assert_refused(refused, 429, "concurrency_limit_exceeded")


async def test_a_stream_that_waits_gets_pings_and_then_its_answer(
    begin: Begin, upstream: FakeUpstream
) -> None:
    caller = await begin(limits=waiting("100/hour", 1))
    release = asyncio.Event()
    upstream.will(stream("a", hold=release))
    first = asyncio.ensure_future(ask(caller, "openai"))
    await upstream.wait_requests(1)
    pings = Pings(caller)
    second = asyncio.ensure_future(ask(caller, "openai"))
    await pings.first.wait()

    release.set()
    answer = await second
    await first

    assert answer.body.startswith(b": ping\n\n")
    assert answer.is_done
