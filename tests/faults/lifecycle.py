"""Rows L: gateways that are killed, stopped, starved or kept busy."""

import asyncio
import os
import resource
import signal
import sqlite3
import time
from contextlib import AsyncExitStack, closing, suppress

import aiohttp

from gateway.testing.script import reply, stream
from tests.faults.asking import Endless, chat_stream, upstreams
from tests.faults.figures import ms
from tests.faults.ground import Ground
from tests.faults.kill import kill
from tests.faults.probe import probed
from tests.faults.row import Reached, Row
from tests.faults.served import Served, posted

_SEED = 7
_UNTIL_FULL = 2000
"""So many calls fit nowhere once nothing can be written."""
_GATE_S = 0.25
"""The event loop may not be held longer, however slow the machine is."""


async def _l01(ground: Ground) -> Reached:
    """Kill it under load, again and again; `python -m tests.faults.kill` does it more often."""
    times = ground.times(10, least=3)
    outcome = await kill(ground.folder, times, _SEED, words=ground.words, defects=ground.defects)
    is_met = not (outcome.lost or outcome.doubled or outcome.phantom) and bool(outcome.acknowledged)
    return Reached(outcome.said(), is_met)


async def _ended(served: Served) -> int:
    """Wait until the process has ended; return its exit code, negative for a signal."""
    told = await asyncio.to_thread(os.waitid, os.P_PID, served.pid, os.WEXITED | os.WNOWAIT)
    assert told is not None
    return told.si_status if told.si_code == os.CLD_EXITED else -told.si_status


async def _l02(ground: Ground) -> Reached:
    """Tell it to stop while streams run that will end, and ask for more."""
    count = ground.times(100, least=20)
    release = asyncio.Event()
    async with upstreams() as (upstream,), AsyncExitStack() as stack:
        upstream.default = stream("one ", "two ", "three", hold=release)
        served = await stack.enter_async_context(
            ground.facing(upstream.url, server={"drain_s": 30})
        )
        wires = [await stack.enter_async_context(served.wire()) for _ in range(count)]
        for wire in wires:
            await wire.send(chat_stream())
        for wire in wires:
            await wire.until(b"one ", 20)
        os.kill(served.pid, signal.SIGTERM)
        refused = await _refused(served)
        release.set()
        begun = time.perf_counter()
        ends = [await wire.rest(20) for wire in wires]
        code = await _ended(served)
        took_s = time.perf_counter() - begun
        heard = len(upstream.requests)
    whole = sum(b"three" in end and end.count(b"data: [DONE]") == 1 for end in ends)
    is_met = whole == count and refused and code == 0 and heard == count
    said = "new ones refused" if refused else "NEW ONES TAKEN"
    return Reached(f"{whole}/{count} whole, {said}, exit {code} {ms(took_s)} later", is_met)


async def _refused(served: Served) -> bool:
    """Ask until the gateway has heard that it is to stop; say whether it refuses."""
    async with asyncio.timeout(10):
        while True:
            try:
                answer = await served.get("/health/readiness")
            except aiohttp.ClientError:
                return True
            if answer.status != 200:
                break
    return (await served.chat()).status == 503


async def _l03(ground: Ground) -> Reached:
    """Tell it to stop while streams run that never end."""
    count, drain_s = ground.times(30, least=5), 2.0
    async with upstreams() as (upstream,), AsyncExitStack() as stack:
        upstream.default = lambda _request: Endless("word ")
        served = await stack.enter_async_context(
            ground.facing(upstream.url, server={"drain_s": drain_s})
        )
        wires = [await stack.enter_async_context(served.wire()) for _ in range(count)]
        for wire in wires:
            await wire.send(chat_stream())
        for wire in wires:
            await wire.until(b"word ", 20)
        reading = asyncio.gather(*(wire.rest(30) for wire in wires))
        begun = time.perf_counter()
        os.kill(served.pid, signal.SIGTERM)
        code = await _ended(served)
        late_s = time.perf_counter() - begun - drain_s
        ends = await reading
        traces = served.traces
    forged = sum(b"data: [DONE]" in end for end in ends)
    return Reached(
        f"exit {code} after the deadline and {ms(late_s)}, {forged} pretend to be whole, "
        f"{traces} tracebacks",
        code == 0 and not forged and not traces and ground.is_in_time(late_s, 0.5),
    )


async def _l05(ground: Ground) -> Reached:
    """Let no file grow, as a full disk does, and then again."""
    database = ground.folder / "state.sqlite"
    answered: set[str] = set()

    async def ask(served: Served, number: int) -> int:
        answer = await served.chat(model=f"up-{number}")
        if answer.status == 200:
            answered.add(f"up-{number}")
        return answer.status

    async with upstreams() as (upstream,):
        upstream.default = reply("hello")
        async with ground.facing(upstream.url, state={"url": f"sqlite:///{database}"}) as served:
            for number in range(20):
                await ask(served, number)
            _, hard = resource.prlimit(served.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(served.pid, resource.RLIMIT_FSIZE, (1, hard))
            number, status = 20, 200
            async with asyncio.timeout(20):
                while status == 200 and number < _UNTIL_FULL:
                    status = await ask(served, number)
                    number += 1
            resource.prlimit(served.pid, resource.RLIMIT_FSIZE, (hard, hard))
            healing = time.perf_counter()
            healed = 0
            async with asyncio.timeout(20):
                while healed != 200:
                    healed = await ask(served, number)
                    number += 1
            healed_s = time.perf_counter() - healing
            os.kill(served.pid, signal.SIGTERM)
            await _ended(served)
    with closing(sqlite3.connect(database)) as connection:
        kept = [row[0] for row in connection.execute("SELECT model FROM calls")]
    lost, doubled = len(answered - set(kept)), len(kept) - len(set(kept))
    return Reached(
        f"{status} when full, healed in {healed_s:.1f} s, {lost} lost, {doubled} doubled",
        status == 503 and not lost and not doubled,
    )


async def _l06(ground: Ground) -> Reached:
    """Open 400 connections to a process that may have 128 descriptors."""
    async with upstreams() as (upstream,), AsyncExitStack() as stack:
        upstream.default = reply("hello")
        bounds = {"bounds": {"head_s": 1.0}}
        served = await stack.enter_async_context(ground.facing(upstream.url, server=bounds))
        before = len(served.log())
        for _ in range(400):
            await stack.enter_async_context(served.wire())
        begun = time.perf_counter()
        status = 0
        async with asyncio.timeout(20):
            while status != 200:
                with suppress(aiohttp.ClientError):
                    status = (await served.chat()).status
                await asyncio.sleep(0.01)
        took_s = time.perf_counter() - begun
        lines = served.log()[before:].count("\n")
        traces = served.traces
    return Reached(
        f"answers after {took_s:.1f} s, {lines} lines of log, {traces} tracebacks",
        ground.is_in_time(took_s, 2.0) and lines < 50 and not traces,
    )


async def _l07(ground: Ground) -> Reached:
    """Ask 500 times at once, over 16 connections to the upstream."""
    count, most = 500, 0
    async with upstreams() as (upstream,):

        def answer(request: object) -> object:
            nonlocal most
            most = max(most, upstream.open)
            return stream("hello", gap_s=0.005)(request)  # type: ignore[arg-type] # One of its own.

        upstream.default = answer  # type: ignore[assignment] # As above.
        up = {"http": {"connections": 16}, "concurrent": 1000}
        async with ground.facing(upstream.url, up=up) as served:
            begun = time.perf_counter()
            answers = await asyncio.gather(*(served.chat(stream=True) for _ in range(count)))
            took_s = time.perf_counter() - begun
        opened = upstream.accepted
    whole = sum(one.is_done and one.words == "hello" for one in answers)
    return Reached(
        f"{whole}/{count} in {took_s:.1f} s over {most} connections at once, {opened} in all",
        whole == count and most <= 16,
    )


async def _l09(ground: Ground) -> Reached:
    """Send bodies as large as they may be: long, wide, deep, full of escapes."""
    size = 19 * 1024 * 1024
    bodies = {
        "long": b'{"model":"openai","messages":[{"role":"user","content":"%b"}]}' % (b"a" * size),
        "escapes": b'{"model":"openai","messages":[{"role":"user","content":"%b"}]}'
        % (b"\\u00e9" * (size // 6)),
        "wide": b'{"model":"openai","messages":[],"x":[%b0]}' % (b"0," * (size // 2)),
        "nested": b'{"model":"openai","messages":[],"x":[%b0]}' % (b"[[]]," * (size // 5)),
        "keys": b'{"model":"openai","messages":[],%b"z":0}'
        % b"".join(b'"k%d":0,' % number for number in range(size // 12)),
        "deep": b"[" * size,
        "turns": b'{"model":"openai","messages":[%b{}]}'
        % (b'{"role":"user","content":"hi"},' * (size // 31)),
    }
    worst, said, statuses = 0.0, "", set[int]()
    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        upstream.default = reply("hello")
        paths = ("/v1/chat/completions", "/api/generate_response")
        for path in paths[: len(ground.dialects)]:
            for name, body in bodies.items():
                async with probed(served) as held, served.wire() as wire:
                    await wire.send(posted(body, path, "Connection: close"))
                    statuses.add(int((await wire.rest(30))[9:12]))
                if held.held_s > worst:
                    worst, said = held.held_s, name
    is_met = worst <= _GATE_S and all(one < 500 for one in statuses)
    return Reached(f"loop held {ms(worst)} at most ({said}), {sorted(statuses)}", is_met)


ROWS = (
    Row(
        "L01",
        "SIGKILL at random moments under load, 10 times",
        "0 lost, 0 doubled, 0 phantom",
        _l01,
        defects=("acknowledges_early",),
        most_s=180,
    ),
    Row(
        "L02",
        "SIGTERM with 100 live streams",
        "all whole, new ones refused, exit 0",
        _l02,
        defects=("cuts_drain",),
    ),
    Row(
        "L03",
        "SIGTERM with endless streams",
        "exit 0 within the deadline + 0.5 s",
        _l03,
        defects=("drains_for_ever",),
    ),
    Row(
        "L05",
        "no file can grow, as on a full disk",
        "503, heals, 0 lost",
        _l05,
        defects=("forgets_rows",),
    ),
    Row(
        "L06",
        "400 connections, 128 descriptors",
        "answers within 2 s, no storm in the log",
        _l06,
        defects=("stock_server",),
        descriptors=128,
    ),
    Row(
        "L07",
        "500 cold calls at once, 16 connections upstream",
        "500 answered, never more than 16",
        _l07,
        defects=("no_pool",),
    ),
    Row(
        "L09",
        "JSON of 19 MB: long, wide, deep, escaped",
        "event loop held 50 ms, gate 250 ms",
        _l09,
        defects=("blocks",),
        most_s=120,
    ),
)
