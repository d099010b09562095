"""Section 4: errors of requests that no upstream hears of, and the ids of all."""

import gzip
import re

import pytest

from gateway.testing.upstream import (
    FakeUpstream,
)
from tests.contract.asking import Asker, assert_refused, knock
from tests.contract.conftest import Begin


@pytest.mark.parametrize(
    ("request_bytes", "code", "name"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX Y: 1\r\n\r\n", 400, "bad_request"),
        (b"GARBAGE\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Sk-Canary: \x00\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "bad_request"),
    ],
)
async def test_what_is_no_request_gets_the_same_body_without_echo(
    caller: Asker, request_bytes: bytes, code: int, name: str
) -> None:
    async with knock(caller.gateway) as wire:
        await wire.send(request_bytes)
        answer = (await wire.rest()).lower()

    assert answer.split(b" ")[1] == str(code).encode()
    assert f'"code":"{name}"'.encode() in answer
    assert b"traceback" not in answer
    assert b"canary" not in answer
    assert b"garbage" not in answer


async def test_a_compressed_body_is_415(caller: Asker) -> None:
    refused = await caller.ask(
        "POST",
        "/v1/chat/completions",
        data=gzip.compress(b"{}"),
        headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
    )

    assert_refused(refused, 415, "unsupported_media_type")


async def test_a_body_over_the_limit_is_413(begin: Begin) -> None:
    caller = await begin(server={"bounds": {"body_bytes": 1024}})

    fits = await caller.chat("a" * 900)
    refused = await caller.chat("a" * 1100)

    assert fits.status == 200
    assert_refused(refused, 413, "too_large")


async def test_a_body_that_does_not_come_is_408(begin: Begin) -> None:
    caller = await begin(server={"bounds": {"body_s": 0.05}})
    async with knock(caller.gateway) as wire:
        await wire.send(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
        )
        answer = await wire.answer()

    assert answer.status == 408
    assert b'"request_timeout"' in answer.body


async def test_request_ids_are_ours_and_new(caller: Asker) -> None:
    replies = [
        await caller.chat(),
        await caller.get("/nowhere"),
        await caller.get("/health"),
        await caller.get("/api/generate_response"),
        await caller.get("/text/hi?stream=true"),
    ]

    ids = [reply.headers["X-Request-Id"] for reply in replies]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"req_[0-9a-f]{24}", one) for one in ids)


@pytest.mark.parametrize("path", ["/text/hi", "/text/hi?stream=true", "/nowhere", "/v1/models"])
async def test_the_callers_id_comes_back_beside_ours(caller: Asker, path: str) -> None:
    reply = await caller.get(path, X_Request_Id="mine-1 ~")

    assert reply.headers["X-Client-Request-Id"] == "mine-1 ~"
    assert reply.headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize("said", ["a" * 129, "gr\u00fc\u00dfe", "tab\there", ""])
async def test_an_id_that_cannot_be_repeated_is_forgotten(caller: Asker, said: str) -> None:
    reply = await caller.get("/text/hi", X_Request_Id=said)

    assert reply.status == 200
    assert "X-Client-Request-Id" not in reply.headers
    assert '"client_request_id"' not in caller.gateway.lines()


async def test_the_log_keeps_both_ids(caller: Asker) -> None:
    reply = await caller.get("/text/hi", X_Request_Id="mine")

    line = caller.gateway.lines()
    assert f'"request_id":"{reply.headers["X-Request-Id"]}"' in line
    assert '"client_request_id":"mine"' in line


async def test_a_line_break_in_an_id_makes_no_header(caller: Asker) -> None:
    async with knock(caller.gateway) as wire:
        await wire.send(
            b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\rX-Evil: 1\r\n\r\n"
        )
        answer = await wire.rest()

    assert b"x-evil" not in answer.lower()


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_model_name_with_line_breaks_makes_no_header(
    caller: Asker, upstream: FakeUpstream, is_stream: bool
) -> None:
    reply = await caller.chat(model="up-\r\nX-Evil: 1\u65e5", stream=is_stream)

    assert reply.status == 200
    assert "X-Evil" not in reply.headers
    assert reply.headers["X-Model"].isascii()
    assert upstream.attempts == ["up-\r\nX-Evil: 1\u65e5"]
    assert "x-evil" not in upstream.requests[0].headers
    assert len(caller.gateway.lines().splitlines()) == 1
