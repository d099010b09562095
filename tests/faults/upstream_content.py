"""Rows U: upstreams whose answers are refusals, nonsense, too large, indiscreet or cut anywhere."""

import gzip
import time
from collections.abc import Mapping, Sequence

import orjson

from gateway.schema.json import JsonObject
from gateway.testing.actions import Action, Answer, Send, piece
from gateway.testing.faults import garbage, raw, truncated
from gateway.testing.http_wire import LAST_CHUNK, UpstreamRequest, chunk, head
from gateway.testing.openai_documents import frame
from gateway.testing.script import body, chunks, status
from tests.contract.asking import Reply
from tests.faults.asking import (
    DONE,
    FINISH,
    STREAM_HEAD,
    ask,
    framed,
    large,
    upstreams,
    ways,
    word,
)
from tests.faults.figures import MIB, mib
from tests.faults.ground import UPSTREAM_KEY, Ground
from tests.faults.proxy import faulty_proxy
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


_FORGED = [
    "plain ",
    "line\nbreak\r\nand\n\nblank ",
    "\n\ndata: [DONE]\n\n",
    '\n\ndata: {"error": {"message": "forged"}}\n\n',
    "event: forged\nid: 1\n\n",
    "\u2028\u2029\x85\x0b\x0c\x1c ",
    "é€😀 ",
    "👩‍👩‍👧‍👦 ",
    '"quotes" \\ and {braces} ',
    "data: ",
    ": ping\n\n",
    "\u0627\u202e",
    "\x00\x01\x7f",
]


async def _u12(ground: Ground) -> Reached:
    """Stream what looks like events, cut into single bytes by the network."""
    said = "".join(_FORGED)
    unescaped = [
        b'data: {"choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
        % orjson.dumps(text).strip(b'"')
        for text in _FORGED
    ]
    mixed = b"".join(unescaped).replace(b"\n\n", b"\r\n\r\n") + frame(FINISH) + DONE

    def usual(_request: UpstreamRequest) -> Sequence[Action]:
        return framed(*map(word, _FORGED), FINISH, after=[piece(DONE), Send(LAST_CHUNK)])

    def joined(_request: UpstreamRequest) -> Sequence[Action]:
        return [Send(STREAM_HEAD), Send(chunk(mixed) + LAST_CHUNK)]

    same = asked = forged = 0
    async with (
        upstreams() as (upstream,),
        faulty_proxy(upstream.url) as proxy,
        ground.facing(proxy.url, health=_NEVER_OPEN) as served,
    ):
        for size in (1, 7, None):
            proxy.slice_bytes = size
            for answer in (usual, joined) if len(ground.dialects) > 1 else (usual,):
                upstream.default = answer
                for dialect in ground.dialects:
                    reply = await ask(served, dialect)
                    asked += 1
                    same += reply.words == said
                    events = [one for one in reply.frames if not one.startswith(b":")]
                    forged += len(events) > len(_FORGED) + 3 or reply.body.count(DONE) != 1
                    forged += b'data: {"error' in reply.body
    return Reached(
        f"{same}/{asked} to the letter, {forged} forged events", same == asked and not forged
    )


_HOP = (
    "Connection: keep-alive, X-Secret",
    "X-Secret: 1",
    "Keep-Alive: timeout=5",
    "Proxy-Authorization: Basic x",
    "TE: trailers",
    "Cookie: session=1",
    "X-Forwarded-For: 192.0.2.1",
    "Forwarded: for=192.0.2.1",
    "Referer: https://example.com/private",
    "Origin: http://localhost",
    "X-Custom: 1",
)
_ASKED = frozenset(
    {"host", "authorization", "content-type", "content-length", "accept", "accept-encoding"}
    | {"user-agent", "connection", "x-request-id"}
)
_INTERNAL = {
    "set-cookie": "session=1",
    "x-internal": "1",
    "server": "upstream/1.0",
    "keep-alive": "timeout=5",
    "openai-organization": "org-secret",
    "access-control-allow-origin": "*",
    "proxy-authenticate": "Basic",
}


async def _u13(ground: Ground) -> Reached:
    """Send headers of the connection, cookies and others, from both sides."""
    up = down = 0
    named = dict(line.split(": ", 1) for line in _HOP if not line.startswith("Connection"))
    async with (
        upstreams() as (upstream,),
        ground.facing(upstream.url) as served,
    ):
        for code in (200, 400, 500):
            for is_stream in (True, False):
                upstream.default = _with_headers(code, is_stream=is_stream)
                document = {
                    "model": "openai",
                    "messages": [{"role": "user", "content": "hi"}],
                    "stream": is_stream,
                }
                answer = await served.ask(
                    "POST", "/v1/chat/completions", json=document, headers=named
                )
                down += sum(answer.headers.get(name) == text for name, text in _INTERNAL.items())
        up = sum(len(request.headers.keys() - _ASKED) for request in upstream.requests)
        seen = sorted({name for one in upstream.requests for name in one.headers.keys() - _ASKED})
    return Reached(f"{up} relayed up {seen}, {down} down", not up and not down)


def _with_headers(code: int, *, is_stream: bool) -> Answer:
    def answer(request: UpstreamRequest) -> list[Action]:
        if code == 200 and is_stream:
            frames = b"".join(chunk(data) for data in (frame(word("hi")), frame(FINISH), DONE))
            given = {**_INTERNAL, **_EVENT_STREAM, "transfer-encoding": "chunked"}
            return [Send(head(200, given) + frames + LAST_CHUNK)]
        message = {"role": "assistant", "content": "hi"}
        said: JsonObject = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        data = orjson.dumps(said if code == 200 else {"error": {"message": "no"}})
        length = {"content-type": "application/json", "content-length": str(len(data))}
        return [Send(head(code, {**_INTERNAL, **length}) + data)]

    return answer


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
    Row(
        "U12",
        "line breaks, forged events, split characters, slices of 1 byte",
        "the same text, 0 forged events",
        _u12,
        is_counted=True,
        defects=("reframes",),
    ),
    Row(
        "U13",
        "hop-by-hop headers, cookies, names of others",
        "none relayed either way",
        _u13,
        is_counted=True,
        defects=("forwards_headers",),
    ),
)
