"""Rows U: upstreams that fall silent: before an answer, within one, or with the cable pulled."""

import time

from gateway.testing.faults import (
    hang_before_head,
    hang_in_stream,
)
from gateway.testing.upstream import FakeUpstream
from tests.faults.asking import ask, chat_stream, until, upstreams
from tests.faults.figures import ms
from tests.faults.ground import Ground
from tests.faults.proxy import faulty_proxy
from tests.faults.row import Reached, Row
from tests.faults.served import Served

_NEVER_OPEN = {"failures": 1000}

_SHORT_S = 0.3

_SHORT = {"first_token_s": _SHORT_S, "between_tokens_s": _SHORT_S}


async def _silent(ground: Ground, served: Served, upstream: FakeUpstream, is_begun: bool) -> float:
    """Return how much longer than allowed the slowest took; raise `AssertionError` on bad ends."""
    late = [0.0]
    for dialect in ground.dialects:
        closed = upstream.closed
        begun = time.perf_counter()
        answer = await ask(served, dialect)
        late.append(time.perf_counter() - begun - _SHORT_S)
        if is_begun:
            assert not answer.is_done, answer.body
            assert b'"error"' in answer.frames[-1], answer.body
        else:
            assert answer.status == 504, answer.body
        await until(lambda seen=closed: upstream.closed > seen)  # type: ignore[misc] # mypy #12557.
    return max(late)


async def _u03(ground: Ground) -> Reached:
    """Never answer, or never say the first word."""
    late_s = 0.0
    async with (
        upstreams() as (upstream,),
        ground.facing(upstream.url, deadlines=_SHORT, health=_NEVER_OPEN) as served,
    ):
        answers = (hang_before_head(), hang_in_stream(0))
        for answer in answers[: len(ground.dialects)]:
            upstream.default = answer
            late_s = max(late_s, await _silent(ground, served, upstream, is_begun=False))
    return Reached(f"504 after the deadline and {ms(late_s)}", ground.is_in_time(late_s, 0.5))


async def _u04(ground: Ground) -> Reached:
    """Fall silent within a stream."""
    async with upstreams() as (upstream,):
        upstream.default = hang_in_stream(2)
        async with ground.facing(upstream.url, deadlines=_SHORT, health=_NEVER_OPEN) as served:
            late_s = await _silent(ground, served, upstream, is_begun=True)
    return Reached(f"an error after the deadline and {ms(late_s)}", ground.is_in_time(late_s, 0.5))


async def _u14(ground: Ground) -> Reached:
    """Pull the cable within streams: no end of the connection is ever told."""
    count = ground.times(20, least=3)
    async with upstreams() as (upstream,), faulty_proxy(upstream.url) as proxy:
        upstream.default = hang_in_stream(2)
        deadlines = {**_SHORT, "first_token_s": 20, "between_tokens_s": 1.0}
        async with ground.facing(proxy.url, deadlines=deadlines, health=_NEVER_OPEN) as served:
            await served.get("/health")
            before = served.descriptors
            wires = []
            for _ in range(count):
                wire = served.wire()
                wires.append((wire, await wire.__aenter__()))
            for _, caller in wires:
                await caller.send(chat_stream())
            for _, caller in wires:
                await caller.until(b"piece1", 20)
            proxy.is_hole = True
            begun = time.perf_counter()
            ends = [await caller.until(b'"error"', 20) for _, caller in wires]
            late_s = max(0.0, time.perf_counter() - begun - 1.0)
            for wire, _ in wires:
                await wire.__aexit__(None, None, None)
            await until(lambda: proxy.open == 0)
            if ground.owns_process:
                await until(lambda: served.descriptors <= before + 1)
    return Reached(
        f"{len(ends)}/{count} told after the deadline and {ms(late_s)}, descriptors back",
        ground.is_in_time(late_s, 0.7),
    )


ROWS = (
    Row(
        "U03",
        "silence before the first word",
        "504 within the deadline + 0.5 s, upstream let go",
        _u03,
        is_counted=True,
        defects=("no_idle",),
    ),
    Row(
        "U04",
        "silence within a stream",
        "an error within the deadline + 0.5 s, upstream let go",
        _u04,
        is_counted=True,
        defects=("no_idle",),
    ),
    Row(
        "U14",
        "a cable pulled within streams",
        "an error within the deadline + 0.7 s, descriptors back",
        _u14,
        defects=("no_idle",),
    ),
)
