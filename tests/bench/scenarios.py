"""What is measured: both targets by turns, so that whatever else the machine does hits both."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.figures import Figure, Samples
from tests.bench.load import PATIENCE_S, IncompleteError, callers, closed_loop, question
from tests.bench.measure import cpu_s, rss_bytes
from tests.bench.processes import ROOT, Server, raise_descriptor_limit
from tests.bench.targets import (
    MODULES,
    TARGETS,
    Target,
    as_shipped,
    environ,
    target,
    upstream,
)
from tests.bench.upstream import frames_of

CONNECTIONS = 64
TOKENS = 500
FRESH_ROUNDS = 5
"""How often processes are started anew to be measured; what they use then varies little."""

_WARM_UP_S = 0.3
_ROUND_S = 1.5
_IDLE_STREAMS = 1000
_DESCRIPTORS_EACH = 4
"""For an idle stream in a gateway: two sockets, and it takes only half of its descriptors."""
_IMPORTER = """
import importlib, sys, time
cpu, wall = time.process_time(), time.perf_counter()
importlib.import_module(sys.argv[1])
print(time.process_time() - cpu, time.perf_counter() - wall)
"""


async def per_request(folder: Path, rounds: int) -> list[Figure]:
    """Whole answers of 1 KB, asked for in closed loops."""
    return await _per_request(folder, rounds, is_kept=False)


async def per_kept_request(folder: Path, rounds: int) -> list[Figure]:
    """The same, each with its row in SQLite before its answer."""
    return await _per_request(folder, rounds, is_kept=True)


async def _per_request(folder: Path, rounds: int, *, is_kept: bool) -> list[Figure]:

    async def microseconds(server: Server) -> float:
        async with callers(server.port, CONNECTIONS) as connected:
            await closed_loop(connected, question(server.port), _WARM_UP_S)
            before = cpu_s(server.pid)
            answers = await closed_loop(connected, question(server.port), _ROUND_S)
            return (cpu_s(server.pid) - before) / answers * 1e6

    async with _both(folder, is_kept=is_kept) as servers:
        samples = await _by_turns(rounds, lambda name: microseconds(servers[name]))
    where = ", SQLite" if is_kept else ""
    name = f"CPU µs/request, {CONNECTIONS} callers{where}"
    return [Figure(name, samples, ("x", 1.5 if is_kept else 1.4))]


async def per_chunk(folder: Path, rounds: int) -> list[Figure]:
    """Streams whose chunks come one by one, from the moment at which all have begun."""

    async def microseconds(server: Server) -> float:
        request = question(server.port, tokens=TOKENS)
        async with callers(server.port, CONNECTIONS) as connected, asyncio.timeout(PATIENCE_S):
            answers = [caller.ask(request) for caller in connected]
            for caller in connected:
                await caller.begun()
            before, frames = cpu_s(server.pid), sum(caller.frames for caller in connected)
            counts = await asyncio.gather(*answers)
            used_s = cpu_s(server.pid) - before
        if set(counts) != {frames_of(TOKENS)}:
            msg = f"streams of {sorted(set(counts))} events, not of {frames_of(TOKENS)}"
            raise IncompleteError(msg)
        return used_s / (sum(counts) - frames) * 1e6

    async with _both(folder) as servers:
        samples = await _by_turns(rounds, lambda name: microseconds(servers[name]))
    return [Figure(f"CPU µs/chunk, {CONNECTIONS} streams", samples, ("x", 1.25))]


async def memory(folder: Path, rounds: int) -> list[Figure]:
    """Streams that have begun and then wait for their next token."""
    count = min(_IDLE_STREAMS, raise_descriptor_limit() // _DESCRIPTORS_EACH)
    async with upstream(folder) as source:

        async def kilobytes(name: Target) -> float:
            async with target(name, source.port, folder) as server:
                async with callers(server.port, 8) as few:
                    await closed_loop(few, question(server.port), _WARM_UP_S)
                before = rss_bytes(server.pid)
                async with callers(server.port, count) as many, asyncio.timeout(PATIENCE_S):
                    for caller in many:
                        caller.ask(question(server.port, tokens=1, is_idle=True))
                    for caller in many:
                        await caller.begun()
                    return (rss_bytes(server.pid) - before) / count / 1024

        samples = await _by_turns(min(rounds, FRESH_ROUNDS), kilobytes)
    return [Figure(f"KB per idle stream, {count} open", samples, ("at most", 35.0))]


async def start_up(folder: Path, rounds: int) -> list[Figure]:
    """From nothing to the first answer of `/health`, as shipped; and what importing is of it."""
    rounds = min(rounds, FRESH_ROUNDS)
    resident: Samples = {name: [] for name in TARGETS}
    wall: Samples = {name: [] for name in TARGETS}

    async def seconds(name: Target) -> float:
        async with as_shipped(name, folder) as server:
            used = cpu_s(server.pid)
            resident[name].append(rss_bytes(server.pid) / 2**20)
            return used

    async def milliseconds(name: Target) -> float:
        cpu_ms, wall_ms = await asyncio.to_thread(_import_ms, MODULES[name], folder)
        wall[name].append(wall_ms)
        return cpu_ms

    cpu = await _by_turns(rounds, seconds)
    imports = await _by_turns(rounds, milliseconds)
    return [
        Figure("start-up, CPU s", cpu, ("at most", 0.9)),
        Figure("start-up, MB resident", _measured(resident), ("at most", 90.0)),
        Figure("import, CPU ms", imports, ("at most", 250.0)),
        Figure("import, wall ms", _measured(wall)),
    ]


@asynccontextmanager
async def _both(folder: Path, *, is_kept: bool = False) -> AsyncGenerator[dict[Target, Server]]:
    async with (
        upstream(folder) as source,
        target("bare", source.port, folder) as bare,
        target("gateway", source.port, folder, is_kept=is_kept) as gateway,
    ):
        yield {"bare": bare, "gateway": gateway}


async def _by_turns(rounds: int, measure: Callable[[Target], Awaitable[float]]) -> Samples:
    """Return what `measure` says of each target; a first round, to warm up, isn't kept."""
    samples: Samples = {name: [] for name in TARGETS}
    for _ in range(1 + rounds):
        for name in TARGETS:
            samples[name].append(await measure(name))
    return _measured(samples)


def _measured(samples: Samples) -> Samples:
    """Leave the warm-up out."""
    return {name: values[1:] for name, values in samples.items()}


def _import_ms(module: str, folder: Path) -> tuple[float, float]:
    """Return CPU and wall milliseconds that importing `module` takes in a new interpreter."""
    said = subprocess.run(
        [sys.executable, "-c", _IMPORTER, module],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env=environ(folder),
        timeout=PATIENCE_S,
    )
    cpu_s, wall_s = map(float, said.stdout.split())
    return cpu_s * 1000, wall_s * 1000
