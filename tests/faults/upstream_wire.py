"""Rows U12 and U13: upstreams whose answers are cut anywhere, and headers that are no caller's."""

from collections.abc import Sequence

import orjson

from gateway.schema.json import JsonObject
from gateway.testing.actions import Action, Answer, Send, piece
from gateway.testing.http_wire import LAST_CHUNK, UpstreamRequest, chunk, head
from gateway.testing.openai_documents import frame
from tests.faults.asking import (
    DONE,
    FINISH,
    STREAM_HEAD,
    ask,
    framed,
    upstreams,
    word,
)
from tests.faults.ground import Ground
from tests.faults.proxy import faulty_proxy
from tests.faults.row import Reached, Row

_NEVER_OPEN = {"failures": 1000}

_EVENT_STREAM = {"content-type": "text/event-stream"}

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
