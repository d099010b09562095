"""Row L08: mixed traffic for minutes, with slow readers and callers who hang up.

`make soak` does it for ten minutes. Memory is looked at as a slope, by least squares without the
first third, in which caches fill; descriptors at the beginning and the end; the event loop by the
probe of another process.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import aiohttp

from gateway.testing.actions import Action, json_body, streamed
from gateway.testing.http_wire import UpstreamRequest
from gateway.testing.openai_documents import whole_document
from tests.faults.asking import chat_stream, until, upstreams
from tests.faults.client_pace import deaf
from tests.faults.figures import MIB, ms
from tests.faults.ground import SLACK, Ground
from tests.faults.probe import probed
from tests.faults.row import Reached, Row
from tests.faults.served import Served, posted

_SAMPLE_S = 1.0
_WHOLE_MINUTES = 10
"""From so many minutes on the slope has to keep to its target, and not to five times it."""
_MOST_MB_A_MINUTE = 1.0
_HELD_S = 0.25
_WORDS = [{"content": f"word{number} " * 20} for number in range(30)]
_BROKEN = (aiohttp.ClientError, ConnectionError, TimeoutError, asyncio.IncompleteReadError)


def _answered(request: UpstreamRequest) -> Sequence[Action]:
    """Answer with 30 pieces, some of them apart."""
    if request.is_stream:
        return streamed(request, _WORDS, finish="stop", gap_s=0.002)
    return json_body(200, whole_document(request, {"content": "hello"}, "stop", None), {})


async def _usual(served: Served, seen: Counter[str]) -> None:
    """Ask in both dialects, for streams and for whole answers."""
    answers = [
        await served.chat("hi", stream=True),
        await served.chat("hi"),
        await served.get("/api/generate_response?user_input=hello"),
        await served.get("/api/generate_response?user_input=hello&stream=true"),
        await served.get("/v1/models"),
    ]
    for answer in answers:
        sort = "good" if answer.status == 200 else f"bad: {answer.status} {answer.body[:120]!r}"
        seen[sort] += 1


async def _leaving(served: Served, seen: Counter[str]) -> None:
    """Hang up within a stream."""
    async with served.wire() as wire:
        await wire.send(chat_stream())
        await wire.until(b"word1 ", 20)
        wire.reset()
    seen["left"] += 1


async def _slow(served: Served, seen: Counter[str]) -> None:
    """Read a stream with many pauses."""
    async with deaf(served, limit=16_384) as wire:
        await wire.send(chat_stream())
        for number in range(0, 30, 3):
            await wire.until(b"word%d " % number, 20)
            await asyncio.sleep(0.05)
    seen["slow"] += 1


async def _deaf(served: Served, seen: Counter[str]) -> None:
    """Ask for a stream, read none of it, and go."""
    async with deaf(served) as wire:
        await wire.send(chat_stream())
        await asyncio.sleep(0.3)
    seen["deaf"] += 1


async def _wrong(served: Served, seen: Counter[str]) -> None:
    """Send what is no question."""
    async with served.wire() as wire:
        await wire.send(posted(b'{"model": "openai", "messages": [' + b"[" * 1000))
        await wire.until(b"\r\n", 20)
    seen["wrong"] += 1


async def _reading(served: Served, seen: Counter[str]) -> None:
    """Read the feed for a while."""
    async with served.wire() as wire:
        await wire.send(b"GET /api/text/feed HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(20):
            await wire.until(b"\n\n", 5)
    seen["read"] += 1


_CALLERS: Sequence[tuple[Callable[[Served, Counter[str]], Awaitable[None]], int]] = (
    (_usual, 8),
    (_leaving, 3),
    (_slow, 6),
    (_deaf, 3),
    (_wrong, 1),
    (_reading, 3),
)


async def _l08(ground: Ground) -> Reached:
    """Do all of it at once until the time is over."""
    seen: Counter[str] = Counter()
    database = f"sqlite:///{ground.folder / 'soak.sqlite'}"
    async with upstreams() as (upstream,):
        upstream.default = _answered
        async with ground.facing(upstream.url, state={"url": database}) as served:
            await _usual(served, seen)
            # Connections to the upstream wait for the next call.
            before = served.descriptors - upstream.open
            async with probed(served) as held:
                samples = await _during(ground.minutes * 60, served, seen, upstream.requests.clear)
            await served.session.close()
            with suppress(TimeoutError):
                await until(lambda: served.descriptors - upstream.open <= before)
            left = served.descriptors - upstream.open - before
            traces = served.traces
    slope = _slope(samples) * 60 / MIB
    most = _MOST_MB_A_MINUTE * (1 if ground.minutes >= _WHOLE_MINUTES else SLACK)
    calls = ", ".join(f"{count} {sort}" for sort, count in sorted(seen.items()))
    return Reached(
        f"{ground.minutes:g} minutes: {slope:+.2f} MB a minute, {left:+d} descriptors, "
        f"loop held {ms(held.held_s)} at most, {traces} tracebacks; {calls}",
        slope <= most
        and left <= 5
        and held.held_s <= _HELD_S
        and not traces
        and not any(sort.startswith("bad") for sort in seen),
    )


async def _during(
    seconds: float, served: Served, seen: Counter[str], forget: Callable[[], None]
) -> list[tuple[float, int]]:
    """Have all callers call for so many seconds; return the memory at each time."""
    begun = time.monotonic()

    async def call(what: Callable[[Served, Counter[str]], Awaitable[None]]) -> None:
        while time.monotonic() - begun < seconds:
            try:
                await what(served, seen)
            except _BROKEN as error:
                if what is _reading and time.monotonic() - begun >= seconds:
                    return  # Nobody publishes any more.
                seen[f"bad: {what.__name__} {error!r}"] += 1
                await asyncio.sleep(0.1)

    calls = asyncio.gather(*(call(what) for what, count in _CALLERS for _ in range(count)))
    samples = []
    while not calls.done():
        samples.append((time.monotonic() - begun, served.resident_bytes))
        forget()
        await asyncio.wait([calls], timeout=_SAMPLE_S)
    await calls
    return samples


def _slope(samples: Sequence[tuple[float, int]]) -> float:
    """Return the bytes a second that memory grows by, without the first third."""
    rest = samples[len(samples) // 3 :]
    mean_s = sum(at for at, _ in rest) / len(rest)
    mean = sum(size for _, size in rest) / len(rest)
    spread = sum((at - mean_s) ** 2 for at, _ in rest) or 1.0
    return sum((at - mean_s) * (size - mean) for at, size in rest) / spread


ROWS = (
    Row(
        "L08",
        "mixed traffic with slow readers and hang-ups",
        "1 MB a minute at most over 10 minutes, descriptors flat, loop held 50 ms, gate 250 ms",
        _l08,
        defects=("hoards",),
        most_s=7200,
    ),
)
