"""Rows C: callers who send too much: announced, without end, packed, or all in one go."""

import asyncio
import gzip
import io
from contextlib import AsyncExitStack

from tests.faults.asking import upstreams
from tests.faults.client_pace import deaf
from tests.faults.figures import MIB, mib
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row
from tests.faults.served import Served

_HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"


async def _c03(ground: Ground) -> Reached:
    """Announce 10 GB, and send chunks without end, eight callers at once."""
    bounds = {"bounds": {"body_bytes": MIB}}
    async with upstreams() as (upstream,), ground.facing(upstream.url, server=bounds) as served:
        await served.chat()
        before = served.forget_peak()
        announced = _HEAD + b"Content-Length: 10737418240\r\n\r\n" + b"a" * 65536
        first = await _sent_until_answered(served, announced, b"")
        chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
        endless = _HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        others = await asyncio.gather(
            *(_sent_until_answered(served, endless, chunk) for _ in range(8))
        )
        grown = served.peak_bytes - before
        heard = len(upstream.requests) - 1
    refused = sum(b" 413 " in one for one in (first, *others))
    is_small = grown < 16 * MIB or not ground.owns_process
    return Reached(f"{refused}/9 are 413, {mib(grown)}", refused == 9 and is_small and not heard)


async def _sent_until_answered(served: Served, head: bytes, more: bytes) -> bytes:
    """Send `more` again and again until there is an answer; return its first line."""
    async with served.wire() as wire:
        await wire.send(head)
        answer = asyncio.ensure_future(wire.until(b"\r\n", 20))
        try:
            while more and not answer.done():
                await wire.send(more)
                await asyncio.sleep(0)
            return await answer
        except (ConnectionError, asyncio.IncompleteReadError):
            return b""
        finally:
            answer.cancel()


async def _c04(ground: Ground) -> Reached:
    """Send a body of 1 MB that is 1 GB once it is decompressed."""
    bomb = gzip.compress(bytes(1024 * MIB), 1)[: 16 * MIB]
    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        await served.chat()
        before = served.forget_peak()
        statuses = set[int]()
        for path in ("/v1/chat/completions", *_OTHERS[: len(ground.dialects) - 1]):
            for coding in ("gzip", "deflate"):
                headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
                body = io.BytesIO(bomb)
                answer = await served.ask("POST", path, data=body, headers=headers)
                statuses.add(answer.status)
        grown = served.peak_bytes - before
    is_met = all(400 <= one < 500 for one in statuses) and grown < 32 * MIB
    return Reached(f"{sorted(statuses)}, {mib(grown)}", is_met)


_MEANWHILE = 300
"""In so many turns of the loop more is answered than the system holds of what nobody reads."""
_OTHERS = ("/api/generate_response",)


async def _c09(ground: Ground) -> Reached:
    """Send 2,000 requests on one connection and read no answer, four callers at once."""
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with upstreams() as (upstream,), ground.facing(upstream.url) as served:
        await served.get("/openapi.json")
        before = served.forget_peak()
        async with AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(deaf(served)) for _ in range(4)]
            sending = [asyncio.ensure_future(wire.send(ask * 2000)) for wire in wires]
            await asyncio.wait(sending, timeout=2.0)
            alive = (await served.get("/health")).status
            grown = await _settled(served) - before
            for one in sending:
                one.cancel()
    return Reached(f"{mib(grown)}, others answered", alive == 200 and grown < 16 * MIB)


async def _settled(served: Served) -> int:
    """Return the most memory there was, once `_MEANWHILE` answers more take none."""
    peak = 0
    while served.peak_bytes > peak:
        peak = served.peak_bytes
        for _ in range(_MEANWHILE):
            await served.get("/health")
    return peak


ROWS = (
    Row(
        "C03",
        "10 GB announced, chunks without end",
        "413 at once, under +16 MB",
        _c03,
        defects=("no_size_limit",),
    ),
    Row(
        "C04",
        "a request of 1 MB that inflates to 1 GB",
        "4xx, under +32 MB",
        _c04,
        defects=("inflates",),
    ),
    Row(
        "C09",
        "2,000 requests in one go, no answer read",
        "paused, under +16 MB",
        _c09,
        defects=("buffer_all",),
    ),
)
