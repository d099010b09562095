"""Rows C, and U09: callers who are slow, do not read, or are gone."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from gateway.testing.faults import hang_before_head, hang_in_stream
from gateway.testing.script import reply
from tests.faults.asking import Endless, chat_stream, until, upstreams
from tests.faults.figures import MIB, mib, ms, p99
from tests.faults.ground import Ground
from tests.faults.probe import probed
from tests.faults.row import Reached, Row
from tests.faults.served import Served, chat_document, posted
from tests.web.raw_http import Caller

_DRIBBLE_S = 0.1

_CUT_S = 1.0

_HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"


async def _u09(ground: Ground) -> Reached:
    """Hang up: before anything came, before the first word, in a stream, in a whole reply."""
    phases = (
        (hang_before_head(), chat_stream(), b""),
        (hang_in_stream(0), chat_stream(), b""),
        (hang_in_stream(2), chat_stream(), b"piece1 "),
        (hang_in_stream(2), posted(chat_document()), b""),
    )
    took = list[float]()
    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        for answer, request, seen in phases:
            upstream.default = answer
            for number in range(ground.times(50, least=2)):
                closed = upstream.closed
                async with served.wire() as wire:
                    upstream.requests.clear()
                    await wire.send(request)
                    await until(lambda: bool(upstream.requests))
                    if seen:
                        await wire.until(seen)
                    begun = time.perf_counter()
                    if number % 2:
                        wire.reset()
                    else:
                        wire.abort()
                    await until(lambda was=closed: upstream.closed > was)  # type: ignore[misc] # mypy #12557.
                    took.append(time.perf_counter() - begun)
    is_fast = ground.is_in_time(p99(took), 0.02)
    return Reached(f"{len(took)} closed, p99 {ms(p99(took))}", is_fast)


async def _dribble(caller: Caller, data: bytes, begun: float) -> float:
    """Send byte by byte until the other side has enough; return the seconds since `begun`."""
    ending = asyncio.ensure_future(caller.rest(30))
    try:
        for byte in data:
            if ending.done():
                break
            await caller.send(bytes([byte]))
            await asyncio.wait([ending], timeout=_DRIBBLE_S)
        await ending
    finally:
        ending.cancel()
    return time.perf_counter() - begun


async def _slow(ground: Ground, at_once: bytes, slowly: bytes, bound: str) -> Reached:
    """Have callers dribble while others ask as usual."""
    count = ground.times(300, least=10)
    bounds = {"bounds": {bound: _CUT_S}}
    async with upstreams() as (upstream,), AsyncExitStack() as stack:
        upstream.default = reply("hello")
        served = await stack.enter_async_context(ground.facing(upstream.url, server=bounds))
        statuses = list[int]()
        # Another process asks as neighbours do: this one is busy with dribbling.
        async with probed(served) as neighbour:
            wires = [await stack.enter_async_context(served.wire()) for _ in range(count)]
            begun = list[float]()
            for wire in wires:
                begun.append(time.perf_counter())
                await wire.send(at_once)
            dribbling = asyncio.gather(
                *(_dribble(wire, slowly, since) for wire, since in zip(wires, begun, strict=True))
            )
            while not dribbling.done():
                statuses.append((await served.chat()).status)
                await asyncio.wait([dribbling], timeout=0.05)
            late_s = max(0.0, max(await dribbling) - _CUT_S)
        heard = len(upstream.requests)
    p95 = neighbour.p95_s
    is_in_time = ground.is_in_time(late_s, 1.0) and ground.is_in_time(p95, 0.1)
    return Reached(
        f"{count}/{count} cut after the deadline and {ms(late_s)}, neighbours p95 {ms(p95)}",
        set(statuses) == {200} and heard == len(statuses) and is_in_time,
    )


async def _c01(ground: Ground) -> Reached:
    """Dribble headers."""
    return await _slow(ground, _HEAD, b"X-Slow: " + b"a" * 500, "head_s")


async def _c02(ground: Ground) -> Reached:
    """Dribble bodies; their heads come at once."""
    return await _slow(ground, _HEAD + b"Content-Length: 500\r\n\r\n", b"a" * 500, "body_s")


@asynccontextmanager
async def deaf(served: Served, limit: int = 1024) -> AsyncGenerator[Caller]:
    """Open a connection that holds next to nothing, about `limit` bytes, of what is not read."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    link.setblocking(False)
    await asyncio.get_running_loop().sock_connect(link, ("127.0.0.1", served.port))
    caller = Caller(*await asyncio.open_connection(sock=link, limit=limit))
    try:
        yield caller
    finally:
        caller.abort()


async def _c10(ground: Ground) -> Reached:
    """Ask for streams that never end, and do not read."""
    count = ground.times(50, least=10)
    streams: list[Endless] = []

    def endless(_request: object) -> Endless:
        streams.append(Endless("word " * 2000))
        return streams[-1]

    bounds = {"bounds": {"write_s": 2.0}}
    async with upstreams() as (upstream,), ground.facing(upstream.url, server=bounds) as served:
        await served.chat()
        upstream.default = endless
        before = served.forget_peak()
        async with AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(deaf(served)) for _ in range(count)]
            for wire in wires:
                await wire.send(chat_stream())
            await until(lambda: len(streams) == count)
            begun = time.perf_counter()
            await until(lambda: upstream.closed >= count)
            cut_s = time.perf_counter() - begun
            grown = served.peak_bytes - before
    most = max(one.sent * one.size for one in streams)
    return Reached(
        f"at most {mib(most)} pulled a stream, {mib(grown)}, all cut in {cut_s:.1f} s",
        most < 16 * MIB and grown < 64 * MIB,
    )


async def _c11(ground: Ground) -> Reached:
    """Reset connections in the middle of streams, again and again."""
    count = ground.times(500, least=100)
    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        await served.chat()
        before = served.descriptors
        upstream.default = hang_in_stream(2)
        for _ in range(count // 50):
            async with AsyncExitStack() as stack:
                wires = [await stack.enter_async_context(served.wire()) for _ in range(50)]
                for wire in wires:
                    await wire.send(chat_stream())
                for wire in wires:
                    await wire.until(b"piece1", 20)
                for wire in wires:
                    wire.reset()
        # One connection to the upstream waits for the next call.
        took_s = await until(lambda: served.descriptors <= before + 5 and upstream.open <= 1)
    return Reached(
        f"all descriptors back {ms(took_s)} after {count // 50 * 50} resets",
        ground.is_in_time(took_s, 3.0),
    )


ROWS = (
    Row(
        "U09",
        "callers hang up in four phases, 50 times each",
        "upstream closed, p99 20 ms",
        _u09,
        is_counted=True,
        defects=("stock_server",),
    ),
    Row(
        "C01",
        "300 callers dribble headers",
        "cut within the deadline + 1 s, neighbours p95 100 ms",
        _c01,
        defects=("stock_server",),
    ),
    Row(
        "C02",
        "300 callers dribble bodies",
        "cut within the deadline + 1 s, neighbours p95 100 ms",
        _c02,
        defects=("no_body_timeout",),
    ),
    Row(
        "C10",
        "50 callers don't read an endless stream",
        "under 16 MB pulled each, under +64 MB, cut",
        _c10,
        defects=("buffer_all",),
    ),
    Row(
        "C11",
        "500 resets in the middle of streams",
        "descriptors within 5 of before, in 3 s",
        _c11,
        defects=("stock_server",),
    ),
)
