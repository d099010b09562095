"""Row fuzz: whatever is sent, it is never our fault.

A third of the requests each: made by schemathesis from the gateway's own OpenAPI document, by
hypothesis from what the contract's tests know of questions, and of bytes: either of them, changed
anywhere. All by a seed, so that a bad one comes back. `--requests 100000` sends so many.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

from gateway.schema.json import JsonObject
from gateway.testing.actions import Action, json_body, whole
from gateway.testing.http_wire import UpstreamRequest
from gateway.testing.script import reply
from gateway.testing.upstream import FakeUpstream
from tests.faults.asking import upstreams
from tests.faults.figures import ms
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row
from tests.faults.served import Served

_CALLERS = 32
_HANG_S = 30.0
_BOUNDS = {"head_s": 0.5, "body_s": 0.5}


def _healthy(request: UpstreamRequest) -> Sequence[Action]:
    """Answer as an upstream does that has no fault: whatever goes wrong is the gateway's."""
    path = request.path
    if path.endswith("/embeddings"):
        asked = request.document.get("input")
        count = (
            len(asked) if isinstance(asked, list) and asked and not isinstance(asked[0], int) else 1
        )
        rows = [{"object": "embedding", "index": n, "embedding": [0.5, 0.5]} for n in range(count)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return json_body(200, {"object": "list", "data": rows, "model": "up", "usage": usage}, {})
    if path.endswith("/moderations"):
        asked = request.document.get("input")
        count = len(asked) if isinstance(asked, list) else 1
        row: JsonObject = {"flagged": False, "categories": {}, "category_scores": {}}
        return json_body(200, {"id": "m", "model": "up", "results": [row] * count}, {})
    if path.endswith("/audio/speech"):
        return whole(200, b"ID3" + bytes(100), {"content-type": "audio/mpeg"})
    return reply("hello")(request)


class Tally:
    """What came of all requests."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.bad: list[str] = []
        self.hangs = 0
        self.slowest_s = 0.0


async def _fuzz(ground: Ground) -> Reached:
    """Send all of them, by many callers at once."""
    from tests.faults.fuzz_requests import all_requests  # noqa: PLC0415 - it takes seconds.

    tally = Tally()
    async with upstreams() as (upstream,):
        upstream.default = _healthy
        server = {"bounds": _BOUNDS}
        async with ground.facing(upstream.url, server=server) as served:
            document = (await served.get("/openapi.json")).json()
            made = await asyncio.to_thread(list, all_requests(document, ground.requests))
            await send_all(served, made, tally, upstream)
            alive = (await served.get("/health")).status == 200
            traces = served.traces
    sent = sum(tally.statuses.values())
    answered = ", ".join(f"{count} {sort}" for sort, count in sorted(tally.statuses.items()))
    return Reached(
        f"{sent} sent ({answered}): {len(tally.bad)} are 5xx{tally.bad[:2] or ''}, {traces} "
        f"tracebacks, {tally.hangs} hang, slowest {ms(tally.slowest_s)}",
        alive and not tally.bad and not traces and not tally.hangs,
    )


async def send_all(
    served: Served, requests: Sequence[bytes], tally: Tally, upstream: FakeUpstream
) -> None:
    """Send all by many callers at once."""
    waiting = iter(requests)

    async def call() -> None:
        for data in waiting:
            await _send(served, data, tally)
            upstream.requests.clear()
            upstream.abandoned.clear()

    await asyncio.gather(*(call() for _ in range(_CALLERS)))


async def _send(served: Served, data: bytes, tally: Tally) -> None:
    """Send one request, and note how its answer begins."""
    begun = time.perf_counter()
    first = b""
    async with served.wire() as wire:
        await wire.send(data)
        try:
            first = await wire.until(b"\r\n", _HANG_S)
        except TimeoutError:
            tally.hangs += 1
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            first = b""
    tally.slowest_s = max(tally.slowest_s, time.perf_counter() - begun)
    tally.statuses[f"{first[9:10].decode()}xx" if first else "closed"] += 1
    if first[9:10] == b"5":
        tally.bad.append(f"{first[9:12].decode()} {data[:300]!r}")


ROWS = (
    Row(
        "fuzz",
        "requests by schemathesis, by hypothesis, and changed byte by byte",
        "0 are 5xx, 0 tracebacks, 0 hang",
        _fuzz,
        defects=("raw_errors",),
        most_s=7200,
    ),
)
