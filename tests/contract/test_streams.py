"""Section 8: frames that are held, and errors before and after the first word."""

import asyncio
from typing import Any

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.actions import Hang, Hold, Send, framed, piece
from gateway.testing.http_wire import chunk
from gateway.testing.openai_documents import frame
from gateway.testing.upstream import (
    FakeUpstream,
    chunks,
    error_in_stream,
    reset,
    stream,
    truncated,
)
from tests.contract.asking import Asker, assert_broken_off, knock
from tests.contract.conftest import Begin
from tests.contract.streaming import (
    CHAT_BODY,
    CHAT_HEAD,
    DIALECTS,
    FINISH,
    GENERATE,
    ROLE,
    STREAM_HEAD,
    ask,
    word,
)


@pytest.mark.parametrize(
    "request_bytes",
    [
        CHAT_HEAD % (len(CHAT_BODY), CHAT_BODY),
        b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % GENERATE.encode(),
    ],
    ids=["openai", "dynaspark"],
)
@pytest.mark.parametrize("failing", [error_in_stream, reset, truncated])
async def test_an_error_after_the_first_word_is_an_event_and_no_done(
    begin: Begin,
    upstream: FakeUpstream,
    second: FakeUpstream,
    failing: Any,  # Any: three functions with little in common.
    request_bytes: bytes,
) -> None:
    caller = await begin(second)
    is_read = asyncio.Event()
    first = "piece0 " if failing is error_in_stream else 1
    upstream.will(failing(first, hold=is_read))
    async with knock(caller.gateway) as wire:
        await wire.send(request_bytes)
        await wire.until(b"piece0 ")
        is_read.set()

        rest = await wire.until(b"0\r\n\r\n")

    assert b'data: {"error":{"message":' in rest
    assert b'"code":"upstream_failed"' in rest
    assert b"[DONE]" not in rest
    assert second.requests == []


@DIALECTS
@pytest.mark.parametrize("error", [{"error": {"message": "x"}}, {"error": "x", "choices": []}])
async def test_an_error_that_comes_together_with_the_first_word_is_an_event_too(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, dialect: str, error: JsonObject
) -> None:
    caller = await begin(second)
    together = Send(chunk(frame(word("one ")) + frame(error)))
    upstream.will(lambda _request: [Send(STREAM_HEAD), together, Hang()])

    answer = await ask(caller, dialect)

    assert_broken_off(answer, "upstream_failed")
    assert answer.words == "one "
    assert second.requests == []


@DIALECTS
async def test_roles_and_comments_are_held_until_there_is_a_word(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream, dialect: str
) -> None:
    caller = await begin(second)
    held = [b": busy\n\n", frame(ROLE), frame(word(""))]
    upstream.will(lambda _request: framed([*held, frame(FINISH), b"data: [DONE]\n\n"]))
    second.will(stream("words"))

    answer = await ask(caller, dialect)

    assert answer.words == "words"
    assert answer.headers["X-Provider"] == "second"


@pytest.mark.parametrize(
    "held", [[frame(ROLE)] * 33, [b": %b\n\n" % (b"x" * 1024)] * 65], ids=["33", "65 KiB"]
)
async def test_what_is_held_has_a_bound(
    caller: Asker, upstream: FakeUpstream, held: list[bytes]
) -> None:
    release = asyncio.Event()
    failed = frame({"error": {"message": "too late for a status"}})
    upstream.will(
        lambda _request: [Send(STREAM_HEAD), *map(piece, held), Hold(release), piece(failed)]
    )
    async with knock(caller.gateway) as wire:
        await wire.send(CHAT_HEAD % (len(CHAT_BODY), CHAT_BODY))
        opened = await wire.until(b"\r\n")
        release.set()
        rest = b""
        while not rest.endswith(b"0\r\n\r\n"):
            rest += await wire.until(b"\r\n")

    assert opened.startswith(b"HTTP/1.1 200")
    assert b'"code":"upstream_failed"' in rest
    assert b"too late" not in rest
    assert b"[DONE]" not in rest


async def test_from_the_first_word_on_nothing_is_held_back(
    caller: Asker, upstream: FakeUpstream
) -> None:
    release = asyncio.Event()
    upstream.will(stream("one ", "two", hold=release))
    async with knock(caller.gateway) as wire:
        await wire.send(CHAT_HEAD % (len(CHAT_BODY), CHAT_BODY))

        early = await wire.until(b'"content":"one "}')
        release.set()
        late = await wire.until(b"data: [DONE]")

    assert b"two" not in early
    assert b"two" in late


async def test_a_stream_without_done_that_finished_gets_one(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(chunks(word("hi"), FINISH, is_done=False))

    answer = await caller.chat(stream=True)

    assert answer.frames[-1] == b"data: [DONE]"


@pytest.mark.parametrize(
    "end", [b"data:[DONE]\n\n", b"data: [DONE]\n\n: bye\n\n", b"data: [DONE]\n", b"data: [DONE]"]
)
async def test_there_is_one_done_however_the_upstream_writes_it(
    caller: Asker, upstream: FakeUpstream, end: bytes
) -> None:
    upstream.will(lambda _request: framed([frame(word("hi")), frame(FINISH), end]))

    answer = await caller.chat(stream=True)

    assert answer.body.count(b"[DONE]") == 1
    assert answer.words == "hi"
