"""Rows Q: many callers at once, callers who leave, callers who say that they are others."""

import asyncio
from contextlib import AsyncExitStack

from gateway.testing.faults import hang_in_stream
from gateway.testing.script import reply
from tests.faults.asking import chat_stream, until, upstreams
from tests.faults.figures import ms
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row
from tests.faults.served import posted

_NAMES = (
    *("X-Forwarded-For", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"),
    *("X-Originating-IP", "X-Remote-Addr", "X-Cluster-Client-IP", "Fastly-Client-IP"),
)


def _limits(requests: str, concurrent: int) -> dict[str, object]:
    return {"anonymous": {"requests": requests, "concurrent": concurrent}}


async def _q01(ground: Ground) -> Reached:
    """Ask 250 times at once with 100 allowed."""
    async with upstreams() as (upstream,):
        upstream.default = reply("hello")
        async with ground.facing(upstream.url, limits=_limits("100/hour", 1000)) as served:
            answers = await asyncio.gather(*(served.chat() for _ in range(250)))
        heard = len(upstream.requests)
    taken = [one for one in answers if one.status == 200]
    left = sorted(int(one.headers["X-RateLimit-Remaining"]) for one in taken)
    refused = sum(one.status == 429 for one in answers)
    is_met = left == list(range(100)) and refused == 150 and heard == 100
    each = "each once" if left == list(range(100)) else "NOT each once"
    return Reached(f"{len(taken)}/250, Remaining 99 to 0 {each}", is_met)


async def _q02(ground: Ground) -> Reached:
    """Ask 100 times at once with 10 at once allowed."""
    async with upstreams() as (upstream,), AsyncExitStack() as stack:
        upstream.default = hang_in_stream(1)
        served = await stack.enter_async_context(
            ground.facing(upstream.url, limits=_limits("1000/hour", 10))
        )
        wires = [await stack.enter_async_context(served.wire()) for _ in range(100)]
        for wire in wires:
            await wire.send(chat_stream())
        firsts = [await wire.until(b"\r\n", 20) for wire in wires]
        heard = len(upstream.requests)
    taken, refused = (sum(code in one for one in firsts) for code in (b" 200 ", b" 429 "))
    return Reached(f"{taken}/100 at once", (taken, refused, heard) == (10, 90, 10))


async def _q03(ground: Ground) -> Reached:
    """Hang up 100 times with all places taken, and take them all again."""
    rounds = ground.times(10, least=2)
    async with upstreams() as (upstream,):
        upstream.default = hang_in_stream(1)
        async with ground.facing(upstream.url, limits=_limits("100000/hour", 10)) as served:
            slowest_s = 0.0
            for number in range(rounds):
                async with AsyncExitStack() as stack:
                    wires = [await stack.enter_async_context(served.wire()) for _ in range(10)]
                    for wire in wires:
                        await wire.send(chat_stream())
                    for wire in wires:
                        await wire.until(b"piece0", 20)
                closed = 10 * (number + 1)
                slowest_s = max(slowest_s, await until(lambda to=closed: upstream.closed >= to))  # type: ignore[misc] # mypy #12557.
            async with AsyncExitStack() as stack:
                wires = [await stack.enter_async_context(served.wire()) for _ in range(10)]
                for wire in wires:
                    await wire.send(chat_stream())
                firsts = [await wire.until(b"\r\n", 20) for wire in wires]
    back = sum(b" 200 " in one for one in firsts)
    return Reached(
        f"{back}/10 places back {ms(slowest_s)} after {rounds * 10} hang-ups",
        back == 10 and ground.is_in_time(slowest_s, 0.2),
    )


async def _q04(ground: Ground) -> Reached:
    """Say to be somebody else, by each header that anybody believes."""
    async with upstreams() as (upstream,):
        upstream.default = reply("hello")
        async with ground.facing(upstream.url, limits=_limits("5/hour", 100)) as served:
            statuses = []
            for number in range(40):
                name = _NAMES[number % len(_NAMES)]
                headers = {name: f"192.0.2.{number}", "Forwarded": f"for=192.0.2.{number}"}
                if number % len(_NAMES) == 0:
                    headers["X-Forwarded-For"] = f"192.0.2.{number}, 198.51.100.{number}"
                async with served.wire() as wire:
                    lines = [f"{key}: {text}" for key, text in headers.items()]
                    question = {"model": "openai", "messages": [{"role": "user", "content": "hi"}]}
                    await wire.send(posted(question, "/v1/chat/completions", *lines))
                    statuses.append((await wire.until(b"\r\n", 20))[9:12])
    extra = statuses.count(b"200") - 5
    return Reached(f"{extra} more than allowed in {len(statuses)} calls", extra == 0)


ROWS = (
    Row(
        "Q01",
        "250 calls at once, 100 allowed",
        "exactly 100, Remaining 99 to 0 each once",
        _q01,
        is_counted=True,
        defects=("counts_late",),
    ),
    Row(
        "Q02",
        "100 streams at once, 10 allowed",
        "never more than 10",
        _q02,
        is_counted=True,
        defects=("counts_late",),
    ),
    Row(
        "Q03",
        "100 hang-ups with all places taken",
        "10 of 10 back in 200 ms",
        _q03,
        is_counted=True,
        defects=("leaks_slot",),
    ),
    Row(
        "Q04",
        "callers give other addresses",
        "0 calls more",
        _q04,
        is_counted=True,
        defects=("trusts_forwarded",),
    ),
)
