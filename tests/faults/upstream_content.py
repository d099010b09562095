"""Rows U: upstreams whose answers are refusals, nonsense, too large or indiscreet."""

import gzip
import time
from collections.abc import Mapping

from gateway.schema.json import JsonObject
from gateway.testing.actions import Answer, Send
from gateway.testing.faults import garbage, raw, truncated
from gateway.testing.http_wire import LAST_CHUNK
from gateway.testing.script import body, chunks, status
from tests.contract.asking import Reply
from tests.faults.asking import (
    ask,
    framed,
    large,
    upstreams,
    ways,
    word,
)
from tests.faults.figures import MIB, mib
from tests.faults.ground import UPSTREAM_KEY, Ground
from tests.faults.row import Reached, Row

_NEVER_OPEN = {"failures": 1000}

_STATUSES: Mapping[int, int] = {
    400: 400,
    401: 502,
    403: 502,
    404: 502,
    407: 502,
    302: 502,
    308: 502,
    429: 429,
    500: 502,
    503: 502,
    599: 502,
}
"""What callers get of what upstreams say."""

_DEEP = b"[" * 100_000 + b"]" * 100_000

_EVENT_STREAM = {"content-type": "text/event-stream"}


async def _u05(ground: Ground) -> Reached:
    """Answer each status; a redirect leads to another server."""
    wrong, waits = list[str](), 0
    async with upstreams(2) as (upstream, elsewhere):
        async with ground.facing(upstream.url, health=_NEVER_OPEN) as served:
            for dialect, is_stream in ways(ground):
                for code, told in _STATUSES.items():
                    named = {"retry-after": "9", "location": f"{elsewhere.url}/v1/chat/completions"}
                    upstream.default = status(code, headers=named)
                    # Each status at a target of its own: some make it rest.
                    model = f"up-{code}-{dialect}-{is_stream}"
                    answer = await ask(served, dialect, is_stream=is_stream, model=model)
                    if answer.status != told:
                        wrong.append(f"{code} became {answer.status}")
                    waits += code == 429 and answer.headers.get("Retry-After") == "9"
        followed = len(elsewhere.requests)
    count = len(ways(ground))
    said = (
        f"{len(wrong)} wrong {wrong[:3]}"
        if wrong
        else f"{len(_STATUSES)} statuses as they should be"
    )
    return Reached(
        f"{said}, {followed} redirects followed", not wrong and not followed and waits == count
    )


async def _u06(ground: Ground) -> Reached:
    """Answer nonsense: no HTTP, no JSON, half of it, far too deep."""
    nonsense: list[Answer] = [
        garbage(),
        garbage(_DEEP),
        garbage(b'{"a":' * 100_000),
        garbage(b"\x00\xff"),
        garbage(b"[]"),
        garbage(b'{"choices": 7}'),
        garbage(b'{"choices": [[]]}'),
        garbage(b'{"choices": [{"delta": "", "message": []}]}'),
        body(b""),
        body(b"<html>"),
        raw(b"no HTTP at all\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 100_000 + b"\r\n\r\n"),
        raw(b"HTTP/1.1 999 X\r\n\r\n"),
        raw(b""),
        truncated(0),
    ]
    wrong = asked = 0
    async with (
        upstreams() as (upstream,),
        ground.facing(upstream.url, health=_NEVER_OPEN) as served,
    ):
        for dialect, is_stream in ways(ground):
            for answer in nonsense:
                upstream.default = answer
                reply = await ask(served, dialect, is_stream=is_stream)
                asked += 1
                wrong += reply.status != 502 or b'"upstream_failed"' not in reply.body
        traces = served.traces
    return Reached(
        f"{asked - wrong}/{asked} are 502, {traces} tracebacks", not wrong and not traces
    )


async def _u07(ground: Ground) -> Reached:
    """Repeat our key in errors, in headers, and in an error within a stream."""
    said = f"bad key {UPSTREAM_KEY}, sent as Bearer {UPSTREAM_KEY}"
    inside: JsonObject = {"error": {"message": said, "type": "x", "code": UPSTREAM_KEY}}
    answers = [
        status(code, said, error_code=UPSTREAM_KEY, headers={"x-key": UPSTREAM_KEY})
        for code in (400, 401, 429, 500)
    ]
    answers += [
        chunks(inside),
        lambda _request: framed(word("hi"), inside, after=[Send(LAST_CHUNK)]),
        body(UPSTREAM_KEY.encode(), code=500, content_type="text/plain"),
    ]
    leaks = asked = 0
    async with (
        upstreams() as (upstream,),
        ground.facing(upstream.url, health=_NEVER_OPEN) as served,
    ):
        for dialect, is_stream in ways(ground):
            for answer in answers:
                if not is_stream and answer in answers[4:6]:
                    continue
                upstream.default = answer
                leaks += UPSTREAM_KEY in _said(await ask(served, dialect, is_stream=is_stream))
                asked += 1
        leaks += UPSTREAM_KEY in served.log()
    return Reached(f"{leaks} leaks in {asked} answers and the log", not leaks)


def _said(answer: Reply) -> str:
    return f"{answer.headers}{answer.body.decode('utf-8', 'replace')}"


async def _u08(ground: Ground) -> Reached:
    """Answer far too much: a bomb of gzip, a body and a line without end."""
    size = 512 * MIB
    bomb = gzip.compress(bytes(size), 1) if ground.owns_process else b""
    packed = {"content-type": "application/json", "content-encoding": "gzip"}
    block = b"a" * MIB
    line = large(64 * MIB, _EVENT_STREAM, b"data: " + block)
    answers: list[tuple[Answer, bool]] = [
        (body(bomb, headers=packed), False),
        (body(bomb, headers={**packed, "content-type": "text/event-stream"}), True),
        (large(size, {"content-type": "application/json"}, b'"' + block), False),
        (line, True),
    ]
    slowest_s = 0.0
    is_good = True
    async with (
        upstreams() as (upstream,),
        ground.facing(upstream.url, health=_NEVER_OPEN) as served,
    ):
        await served.chat()
        before = served.forget_peak()
        for dialect in ground.dialects:
            for answer, is_stream in answers:
                upstream.default = answer
                begun = time.perf_counter()
                reply = await ask(served, dialect, is_stream=is_stream)
                slowest_s = max(slowest_s, time.perf_counter() - begun)
                is_good = is_good and reply.status == 502
        grown = served.peak_bytes - before
    said = f"{'502' if is_good else 'answers'} in {slowest_s:.1f} s, {mib(grown)}"
    return Reached(said, is_good and ground.is_in_time(slowest_s, 5) and grown < 64 * MIB)


ROWS = (
    Row(
        "U05",
        "every status, redirects too",
        "401 of ours is 502, 429 keeps Retry-After, nothing followed",
        _u05,
        is_counted=True,
        defects=("passes_status",),
    ),
    Row(
        "U06",
        "garbage, truncated, bad JSON, 100,000 levels",
        "502 in our words, 0 tracebacks",
        _u06,
        is_counted=True,
        defects=("trusts_200", "raw_errors"),
    ),
    Row(
        "U07",
        "the upstream repeats our key",
        "0 leaks anywhere",
        _u07,
        is_counted=True,
        defects=("leaks",),
    ),
    Row(
        "U08",
        "a gzip bomb of 512 MB, as much in plain, a line of 64 MB",
        "502 within 5 s, under +64 MB",
        _u08,
        defects=("no_size_limit", "inflates"),
        most_s=120,
    ),
)
