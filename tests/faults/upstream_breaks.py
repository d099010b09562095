"""Rows U: upstreams that are not there, break off, or are down altogether."""

import time

from gateway.testing.actions import Reset
from gateway.testing.faults import (
    error_in_stream,
    reset,
)
from gateway.testing.script import reply, status
from tests.contract.asking import Reply
from tests.faults.asking import ROLE, ask, framed, until, upstreams, ways
from tests.faults.figures import ms, quiet_p99
from tests.faults.ground import Ground
from tests.faults.proxy import faulty_proxy, refusing_port
from tests.faults.row import Reached, Row

_NEVER_OPEN = {"failures": 1000}


def _is_whole(answer: Reply) -> bool:
    """Say whether the caller got the second target's words, once, and nothing else."""
    if answer.status != 200 or b"hello" not in answer.body or b"piece" in answer.body:
        return False
    return not answer.is_stream or answer.body.count(b"data: [DONE]") == 1


async def _u01(ground: Ground) -> Reached:
    """Have the first target refuse connections, break them, or answer 503."""
    times = ground.times(84, least=2)
    refused = refusing_port()
    whole, failing, healthy = 0, list[float](), list[float]()
    async with upstreams(2) as (first, second), faulty_proxy(first.url) as proxy:
        first.default, proxy.fault = status(503), "reset"
        second.default = reply("hello")
        addresses = [f"http://127.0.0.1:{refused.getsockname()[1]}", proxy.url, first.url]
        for url in addresses:
            async with (
                ground.facing(url, second.url, health=_NEVER_OPEN) as served,
                ground.facing(second.url) as calm,
            ):
                for _ in range(times):
                    for dialect, is_stream in ways(ground):
                        before = time.perf_counter()
                        await ask(calm, dialect, is_stream=is_stream)
                        between = time.perf_counter()
                        answer = await ask(served, dialect, is_stream=is_stream)
                        failing.append(time.perf_counter() - between)
                        healthy.append(between - before)
                        whole += _is_whole(answer)
    refused.close()
    added_s = max(0.0, quiet_p99(failing) - quiet_p99(healthy))
    return Reached(
        f"{whole}/{len(failing)} whole, p99 {ms(added_s)} more",
        whole == len(failing) and ground.is_in_time(added_s, 0.05),
    )


async def _u15(ground: Ground) -> Reached:
    """Have the first target begin an answer, and break it before its first word."""
    broken = [
        reset(0),
        lambda _request: framed(ROLE, after=[Reset()]),
        error_in_stream(),
        reply(""),
        status(500),
    ]
    whole = asked = 0
    async with upstreams(2) as (first, second):
        second.default = reply("hello")
        async with ground.facing(first.url, second.url, health=_NEVER_OPEN) as served:
            for _ in range(ground.times(20, least=2)):
                for answer in broken[: len(broken) if len(ground.dialects) > 1 else 2]:
                    for dialect in ground.dialects:
                        first.will(answer)
                        whole += _is_whole(await ask(served, dialect))
                        asked += 1
        once = len(second.attempts) == asked
    return Reached(f"{whole}/{asked} whole, one [DONE] each", whole == asked and once)


async def _u02(ground: Ground) -> Reached:
    """Break streams in the middle by a reset."""
    good = asked = 0
    async with upstreams(2) as (first, second):
        first.default = reset(2)
        async with ground.facing(first.url, second.url, health=_NEVER_OPEN) as served:
            for _ in range(ground.times(20, least=3)):
                for dialect in ground.dialects:
                    answer = await ask(served, dialect)
                    # A reset may overtake words on their way; then nothing had begun.
                    if second.attempts:
                        second.requests.clear()
                        continue
                    asked += 1
                    is_one = answer.body.count(b'"error"') == 1 and answer.frames[-1].startswith(
                        b'data: {"error"'
                    )
                    good += answer.words.startswith("piece0") and is_one and not answer.is_done
        calls = len(first.attempts)
    return Reached(
        f"{good}/{asked} with one error as their end, {calls - asked} calls more",
        0 < good == asked and calls >= asked and calls - asked < asked,
    )


async def _u16(ground: Ground) -> Reached:
    """Answer 200 with an error for a body, and as the first of a stream."""
    good = billed = 0
    async with upstreams() as (upstream,):
        upstream.default = error_in_stream()
        async with ground.facing(upstream.url, health=_NEVER_OPEN) as served:
            for dialect, is_stream in ways(ground):
                answer = await ask(served, dialect, is_stream=is_stream)
                good += answer.status == 502
            if len(ground.dialects) > 1:
                await until(lambda: served.log().count('"event":"call"') >= 4)
            billed = sum(
                '"output_tokens":0' not in line and '"output_tokens"' in line
                for line in served.log().splitlines()
            )
    ways_count = len(ways(ground))
    return Reached(
        f"{good}/{ways_count} are 502, {billed} billed", good == ways_count and not billed
    )


async def _u10(ground: Ground) -> Reached:
    """Fail altogether: two targets, retries on, and no breaker to help."""
    calls, floor = ground.times(300, least=60), 10
    async with upstreams(2) as (first, second):
        first.default = second.default = status(500)
        retries = {"times": 3, "base_s": 0.001, "longest_s": 0.002, "floor": f"{floor}/hour"}
        async with ground.facing(
            first.url, second.url, health=_NEVER_OPEN, retries=retries
        ) as served:
            statuses = [(await served.chat()).status for _ in range(calls)]
        attempts = len(first.attempts) + len(second.attempts)
    is_good = set(statuses) <= {502, 503} and attempts <= 1.1 * calls + floor + 2
    return Reached(f"{attempts / calls:.2f} attempts a call, {calls} calls", is_good)


async def _u11(ground: Ground) -> Reached:
    """Fail until the breaker opens; fail on; heal."""
    cooldown_s = 1.0
    health = {"failures": 5, "cooldown_s": cooldown_s, "longest_cooldown_s": cooldown_s}
    async with upstreams() as (upstream,):
        upstream.default = status(500)
        async with ground.facing(upstream.url, health=health) as served:
            for _ in range(5):
                await served.chat()
            asked = len(upstream.attempts)
            took, opened = list[float](), list[int]()
            for _ in range(ground.times(200, least=50)):
                before = time.perf_counter()
                answer = await served.chat()
                took.append(time.perf_counter() - before)
                opened.append(answer.status)
            probes = len(upstream.attempts) - asked
            upstream.default = reply("hello")
            healed = time.perf_counter()
            while (await served.chat()).status != 200:
                pass
            healed_s = time.perf_counter() - healed
    is_fast = ground.is_in_time(quiet_p99(took), 0.005)
    is_healed = ground.is_in_time(max(0.0, healed_s - cooldown_s), 1.0)
    refused = opened.count(503)
    return Reached(
        f"open answers p99 {ms(quiet_p99(took))}, {probes} probes, healed in {healed_s:.1f} s",
        is_fast and is_healed and probes <= 3 and refused >= len(opened) - probes,
    )


ROWS = (
    Row(
        "U01",
        "the first target refuses connections, breaks them, or answers 503",
        "callers never know; p99 at most 50 ms more",
        _u01,
        is_counted=True,
        defects=("no_failover",),
        most_s=180,
    ),
    Row(
        "U02",
        "reset in the middle of a stream",
        "what came, one error, no [DONE], never asked again",
        _u02,
        is_counted=True,
        defects=("replays", "done_always"),
    ),
    Row(
        "U10",
        "total outage, retries on, no breaker",
        "at most 1.1 attempts a call, and the floor of 10",
        _u10,
        is_counted=True,
        defects=("retries_always",),
    ),
    Row(
        "U11",
        "a breaker that opens, and heals",
        "open answers p99 5 ms; 3 probes; healed within cooldown + 1 s",
        _u11,
        defects=("no_breaker",),
    ),
    Row(
        "U15",
        "200 and headers, then broken before the first word",
        "all whole from the second target, one [DONE] each",
        _u15,
        is_counted=True,
        defects=("no_failover", "early_head"),
    ),
    Row(
        "U16",
        "200 whose body is an error",
        "502, none billed",
        _u16,
        is_counted=True,
        defects=("trusts_200",),
    ),
)
