"""Rows F: many readers of a feed, some of whom do not read."""

import asyncio
import time
from contextlib import AsyncExitStack
from urllib.parse import quote

from gateway.testing.script import reply
from tests.faults.asking import until, upstreams
from tests.faults.client_pace import deaf
from tests.faults.figures import MIB, mib, ms, p99
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row
from tests.web.raw_http import Caller

_FEED = b"GET /api/text/feed HTTP/1.1\r\nHost: localhost\r\n\r\n"
_STALLED = 20
_FEEDS = {"readers": 5000, "readers_per_address": 5000}
_WORDS = "word " * 400
_FILLING = 30
"""Events of 200 KB that fill all that is held between a gateway and who does not read."""


async def _f01(ground: Ground) -> Reached:
    """Have 1,000 read and 20 not, and publish."""
    count, events = ground.times(1000, least=50), 20
    asked = list[float]()
    took: list[float] = []

    async def read(wire: Caller) -> None:
        for number in range(events):
            await wire.until(b'"content":"event %d ' % number, 60)
            took.append(time.perf_counter() - asked[number])

    async with upstreams() as (upstream,), AsyncExitStack() as stack:
        served = await stack.enter_async_context(ground.facing(upstream.url, feeds=_FEEDS))
        before = served.forget_peak()
        stalled = [await stack.enter_async_context(deaf(served)) for _ in range(_STALLED)]
        for wire in stalled:
            await wire.send(_FEED)
        upstream.default = reply(_WORDS * 100)
        for _ in range(_FILLING):
            assert (await served.get("/api/generate_response?user_input=hi")).status == 200
        upstream.default = reply(_WORDS)
        wires = [await stack.enter_async_context(served.wire()) for _ in range(count)]
        for wire in wires:
            await wire.send(_FEED)
        for wire in wires:
            await wire.until(b"retry: 3000\n\n", 20)
        reading = asyncio.gather(*(read(wire) for wire in wires))
        for number in range(events):
            asked.append(time.perf_counter())
            path = f"/api/generate_response?user_input={quote(f'event {number} ')}"
            assert (await served.get(path)).status == 200
            await until(lambda to=count * (number + 1): len(took) >= to)  # type: ignore[misc] # mypy #12557.
        await reading
        grown = served.peak_bytes - before
    return Reached(
        f"{len(took)}/{count * events} read, p99 {ms(p99(took))}, {mib(grown)}",
        len(took) == count * events and ground.is_in_time(p99(took), 0.5) and grown < 128 * MIB,
    )


async def _f02(ground: Ground) -> Reached:
    """Publish 3,000 events to readers who do not read."""
    events = ground.times(3000, least=500)
    async with upstreams() as (upstream,), AsyncExitStack() as stack:
        upstream.default = reply(_WORDS)
        served = await stack.enter_async_context(ground.facing(upstream.url, feeds=_FEEDS))
        stalled = [await stack.enter_async_context(deaf(served)) for _ in range(_STALLED)]
        for wire in stalled:
            await wire.send(_FEED)
        before = served.forget_peak()
        statuses = list[int]()

        async def publish() -> None:
            for _ in range(events // 10):
                answer = await served.get("/api/generate_response?user_input=hi")
                statuses.append(answer.status)

        await asyncio.gather(*(publish() for _ in range(10)))
        grown = served.peak_bytes - before
        ends = await asyncio.gather(*(wire.rest(60) for wire in stalled))
        dropped = sum(b"slow" in end or len(end) > 0 for end in ends)
    good = statuses.count(200)
    return Reached(
        f"{good}/{len(statuses)} generated, {dropped}/{_STALLED} dropped, {mib(grown)}",
        good == len(statuses) and dropped == _STALLED and grown < 64 * MIB,
    )


ROWS = (
    Row(
        "F01",
        "1,000 readers of a feed, 20 more who do not read",
        "all events, p99 500 ms, under +128 MB",
        _f01,
        defects=("waits_for_readers",),
        most_s=120,
    ),
    Row(
        "F02",
        "3,000 events before 20 readers who do not read",
        "all generated, the 20 dropped, under +64 MB",
        _f02,
        most_s=180,
        weakness={"feeds": {"queue": 1_000_000}, "server": {"bounds": {"write_s": 600}}},
    ),
)
