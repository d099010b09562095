"""Section 4: what an upstream's failure becomes, and when another target answers."""

import gzip
from dataclasses import dataclass

import aiohttp
import pytest

from gateway.testing.actions import Answer, Send
from gateway.testing.http_wire import LAST_CHUNK, chunk, head
from gateway.testing.upstream import (
    FakeUpstream,
    body,
    empty,
    error_in_stream,
    garbage,
    raw,
    reply,
    reset,
    status,
    truncated,
)
from tests.contract.asking import Asker, Reply, assert_refused
from tests.contract.conftest import Begin

MIB = 1024 * 1024


def endless(data: bytes, times: int, **headers: str) -> Answer:
    """Answer 200 with `data` so many times over; it is held once."""
    all_headers = {**headers, "transfer-encoding": "chunked"}
    piece = Send(chunk(data))
    return lambda _request: [Send(head(200, all_headers)), *[piece] * times, Send(LAST_CHUNK)]


def bomb() -> Answer:
    """Answer with 65 MiB that are 64 KB on the wire."""
    data = gzip.compress(b'{"choices":[{"message":{"content":"' + b"a" * 65 * MIB, 9)
    return endless(data, 1, **{"content-type": "application/json", "content-encoding": "gzip"})


@dataclass(frozen=True, slots=True)
class Way:
    """How a caller asks for one turn."""

    dialect: str
    is_stream: bool


REFUSALS = [
    (status(400, "bad stop"), 400, "upstream_rejected"),
    (status(413, "too big for us"), 400, "upstream_rejected"),
    (status(422, "no"), 400, "upstream_rejected"),
    (status(400, "This model's maximum context length is 4"), 400, "context_length_exceeded"),
    (status(413, "prompt is too long"), 400, "context_length_exceeded"),
    (status(400, "tools are not supported"), 400, "unsupported_feature"),
    (status(401), 502, "upstream_failed"),
    (status(402), 429, "upstream_rate_limited"),
    (status(403), 502, "upstream_failed"),
    (status(404), 502, "upstream_failed"),
    (status(407), 502, "upstream_failed"),
    (status(301, headers={"location": "/elsewhere"}), 502, "upstream_failed"),
    (status(302, headers={"location": "http://127.0.0.1:1/"}), 502, "upstream_failed"),
    (status(307, headers={"location": "/v1/chat/completions"}), 502, "upstream_failed"),
    (status(408), 504, "deadline_exceeded"),
    (status(418), 502, "upstream_failed"),
    (status(500), 502, "upstream_failed"),
    (status(503), 502, "upstream_failed"),
    (status(504), 504, "deadline_exceeded"),
    (status(204), 502, "upstream_failed"),
    (status(599), 502, "upstream_failed"),
]
NONSENSE = {
    "reset before the head": reset(),
    "closed before the head": raw(),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "half a head": raw(b"HTTP/1.1 200 OK\r\ncontent-"),
    "reset before a word": reset(after=0),
    "closed before a word": truncated(after=0),
    "garbage": garbage(),
    "not UTF-8": garbage(
        b'{"choices":[{"delta":{"content":"\xff"},"message":{"content":"\xff"}}]}'
    ),
    "truncated JSON": garbage(b'{"choices":[{"message":{"content":"he'),
    "100,000 arrays": garbage(b'{"choices":' + b"[" * 100_000),
    "100,000 objects": garbage(b'{"a":' * 100_000),
    "a list": garbage(b"[]"),
    "null": garbage(b"null"),
    "HTML": body(b"<html>busy</html>", content_type="text/html"),
    "HTML of 300 KiB": body(b"<p>" * 100 * 1024, content_type="text/html"),
    "no body": body(b""),
    "an empty answer": empty(),
    "an empty answer that is too long": empty(finish="length"),
    "no choices": garbage(b'{"choices":[]}'),
    "choices that are none": garbage(b'{"choices":[null,7,{"delta":5,"message":"x"}]}'),
    "200 with an error": error_in_stream(),
    "200 with an error that is a text": garbage(b'{"error":"overloaded"}'),
}


WAYS = {
    f"{dialect}, {'streamed' if is_stream else 'whole'}": Way(dialect, is_stream)
    for dialect in ("openai", "dynaspark")
    for is_stream in (True, False)
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


async def ask(caller: Asker, way: Way) -> Reply:
    """Ask for one turn."""
    if way.dialect == "openai":
        return await caller.chat(stream=way.is_stream)
    return await caller.get(f"/api/generate_response?user_input=hi&stream={way.is_stream}")


@EVERY_WAY
@pytest.mark.parametrize("row", REFUSALS)
async def test_what_an_upstream_refuses_becomes(
    caller: Asker, upstream: FakeUpstream, row: tuple[Answer, int, str], way: Way
) -> None:
    answer, code, name = row
    upstream.will(answer)

    refused = await ask(caller, way)

    assert_refused(refused, code, name)
    assert refused.headers["X-RateLimit-Remaining"] == ("100" if code == 429 else "99")
    assert len(upstream.requests) == 1


@EVERY_WAY
@pytest.mark.parametrize("what", NONSENSE)
async def test_an_answer_that_is_none_is_502(
    caller: Asker, upstream: FakeUpstream, what: str, way: Way
) -> None:
    upstream.will(NONSENSE[what])

    refused = await ask(caller, way)

    error = assert_refused(refused, 502, "upstream_failed")
    assert "Traceback" not in error["message"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":"' + b"x" * 300 * 1024 + b'"}',
        b"[" * 300 * 1024 + b"]" * 300 * 1024,
    ],
    ids=["no choices", "arrays"],
)
@pytest.mark.parametrize("dialect", ["openai", "dynaspark"])
async def test_a_large_whole_reply_that_is_none_is_502(
    caller: Asker, upstream: FakeUpstream, data: bytes, dialect: str
) -> None:
    upstream.will(body(data))

    assert_refused(await ask(caller, Way(dialect, is_stream=False)), 502, "upstream_failed")


TRUNCATED = b'{"choices":[{"message":{"content":"' + b"x" * 300 * 1024


async def test_a_large_reply_that_is_cut_off_is_cut_off_for_the_caller(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.default = body(TRUNCATED)

    refused = await ask(caller, Way("dynaspark", is_stream=False))
    with pytest.raises(aiohttp.ClientPayloadError):
        await caller.chat()

    assert_refused(refused, 502, "upstream_failed")
    assert '"code":"upstream_failed"' in caller.gateway.lines().splitlines()[-1]


async def test_a_large_whole_reply_passes_and_is_accounted(
    caller: Asker, upstream: FakeUpstream
) -> None:
    words = "word " * 100_000
    upstream.will(reply(words), reply(words))

    forwarded = await caller.chat()
    translated = await caller.get("/text/hi")

    assert forwarded.json()["choices"][0]["message"]["content"] == words
    assert translated.text == words
    assert caller.gateway.lines().count('"output_tokens":100000') == 2


@EVERY_WAY
async def test_a_gzip_bomb_is_not_unpacked_to_its_end(
    caller: Asker, upstream: FakeUpstream, way: Way
) -> None:
    upstream.will(bomb())

    if way == Way("openai", is_stream=False):
        # It begins as a reply does, so it passes until it is too large.
        with pytest.raises(aiohttp.ClientPayloadError):
            await ask(caller, way)
    else:
        assert_refused(await ask(caller, way), 502, "upstream_failed")
    await upstream.wait_closed()


@EVERY_WAY
async def test_a_line_of_64_mib_is_502_and_not_read_to_its_end(
    caller: Asker, upstream: FakeUpstream, way: Way
) -> None:
    upstream.will(endless(b"a" * MIB, 64, **{"content-type": "text/event-stream"}))

    refused = await ask(caller, way)

    assert_refused(refused, 502, "upstream_failed")
    await upstream.wait_closed()
    await upstream.wait_abandoned()


async def test_an_upstream_that_is_not_there_is_502(caller: Asker, upstream: FakeUpstream) -> None:
    await upstream.stop()

    error = assert_refused(await caller.chat(), 502, "upstream_failed")

    assert "127.0.0.1" not in error["message"]


@EVERY_WAY
@pytest.mark.parametrize("error_code", [None, "rate_limit_exceeded", "insufficient_quota"])
async def test_an_upstreams_rate_limit_is_passed_on_and_not_counted(
    caller: Asker, upstream: FakeUpstream, error_code: str | None, way: Way
) -> None:
    upstream.will(status(429, error_code=error_code, headers={"retry-after": "9"}))

    refused = await ask(caller, way)
    after = await caller.chat()

    assert_refused(refused, 429, "upstream_rate_limited")
    assert refused.headers["Retry-After"] == "9"
    assert refused.headers["X-RateLimit-Remaining"] == "100"
    assert after.headers["X-RateLimit-Remaining"] == "99"


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("retry-after", "0.2", "1"),
        ("retry-after-ms", "2500", "3"),
        ("retry-after", "Mon, 01 Jan 2001 00:00:00 GMT", "1"),
        ("retry-after", "soon", None),
        ("retry-after", "-5", None),
    ],
)
async def test_every_form_of_retry_after_becomes_whole_seconds(
    caller: Asker, upstream: FakeUpstream, header: str, value: str, seconds: str | None
) -> None:
    upstream.will(status(429, headers={header: value}))

    refused = await caller.chat()

    assert refused.status == 429
    assert refused.headers.get("Retry-After") == seconds


@pytest.mark.parametrize(
    "first",
    [
        status(401),
        status(429),
        status(503),
        status(400, "maximum context length"),
        status(400, "pictures are not supported"),
        reset(),
        empty(),
        garbage(),
        error_in_stream(),
    ],
)
@EVERY_WAY
async def test_another_target_answers_when_the_first_one_fails(
    begin: Begin,
    upstream: FakeUpstream,
    second: FakeUpstream,
    first: Answer,
    way: Way,
) -> None:
    caller = await begin(second)
    upstream.will(first)
    second.will(reply("from the second"))

    answer = await ask(caller, way)

    assert answer.status == 200
    assert b"second" in answer.body
    assert answer.headers["X-Provider"] == "second"
    assert (upstream.attempts, second.attempts) == (["upstream-model"], ["second-model"])


async def test_no_other_target_is_bothered_with_what_the_caller_did_wrong(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second)
    upstream.will(status(400, "messages: roles must alternate"))

    error = assert_refused(await caller.chat(), 400, "upstream_rejected")

    assert "roles must alternate" in error["message"]
    assert second.requests == []


async def test_the_last_targets_failure_is_what_the_caller_hears(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    caller = await begin(second)
    upstream.will(status(503))
    second.will(status(429, headers={"retry-after": "7"}))

    refused = await caller.chat()

    assert_refused(refused, 429, "upstream_rate_limited")
    assert refused.headers["Retry-After"] == "7"
