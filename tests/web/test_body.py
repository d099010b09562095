"""Reading a body within its bounds, seen from the caller's socket."""

import asyncio
import gzip
import json

import pytest
from aiohttp import web

from gateway.schema.failure import CallError
from gateway.web.body import read_body
from tests.web.raw_http import GET, Handler, becomes, listening

LIMIT = 1000


def reading(*, timeout_s: float = 5) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=f"{len(await read_body(request, LIMIT, timeout_s))}")

    return handle


def post(*headers: str) -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", "Host: x", *headers, "", ""]).encode()


@pytest.mark.parametrize("size", [0, 1, LIMIT])
@pytest.mark.parametrize("is_split", [True, False])
async def test_a_body_up_to_the_limit_is_read_and_the_connection_kept(
    size: int, is_split: bool
) -> None:
    async with listening(reading()) as server:
        caller = await server.caller()
        if is_split:
            await caller.send(post(f"Content-Length: {size}"))
            await becomes(lambda: server.runner.requests_in_flight == bool(size))
            await caller.send(b"x" * size)
        else:
            await caller.send(post(f"Content-Length: {size}") + b"x" * size)
        answer = await caller.answer()
        await caller.send(GET)

        assert (answer.status, answer.body) == (200, f"{size}".encode())
        assert (await caller.answer()).body == b"0"


async def test_chunks_up_to_the_limit_are_read() -> None:
    chunk = b"64\r\n" + b"x" * 100 + b"\r\n"

    async with listening(reading()) as server:
        answer = await server.ask(post("Transfer-Encoding: chunked") + chunk * 10 + b"0\r\n\r\n")

    assert answer.body == b"1000"


@pytest.mark.parametrize("size", [LIMIT + 1, 10 * 1024**3])
async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(size: int) -> None:
    async with listening(reading()) as server:
        caller = await server.caller()
        await caller.send(post(f"Content-Length: {size}"))
        answer = await caller.answer()
        rest = await caller.rest()

    error = json.loads(answer.body)["error"]
    assert (answer.status, error["code"]) == (413, "too_large")
    assert "1000 bytes" in error["message"]
    assert (answer.headers["connection"], rest) == ("close", b"")


async def test_endless_chunks_are_refused_at_the_limit() -> None:
    async with listening(reading()) as server:
        caller = await server.caller()
        await caller.send(post("Transfer-Encoding: chunked"))

        async def flood() -> None:
            while True:
                await caller.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await asyncio.sleep(0)

        flooding = asyncio.create_task(flood())
        answer = await caller.answer()
        rest = await caller.rest()
        flooding.cancel()

    assert (answer.status, answer.headers["connection"], rest) == (413, "close", b"")


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
async def test_a_slow_body_is_cut_with_408(framing: str) -> None:
    async with listening(reading(timeout_s=0.05)) as server:
        caller = await server.caller()
        await caller.send(post(framing))
        answer = await caller.answer()
        rest = await caller.rest()

    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (408, "request_timeout")
    assert (answer.headers["connection"], rest) == ("close", b"")


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "evil"])
async def test_an_encoded_body_is_refused_unread(encoding: str) -> None:
    bomb = gzip.compress(bytes(LIMIT * 1000))

    async with listening(reading()) as server:
        answer = await server.ask(
            post(f"Content-Length: {len(bomb)}", f"Content-Encoding: {encoding}") + bomb
        )

    assert (answer.status, answer.headers["connection"]) == (415, "close")
    assert b"evil" not in answer.body


async def test_the_connection_ends_even_where_the_application_renders_the_error() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            await read_body(request, LIMIT, 5)
        except CallError as error:
            return web.Response(status=error.status)
        return web.Response()

    async with listening(handle) as server:
        answer = await server.ask(post(f"Content-Length: {LIMIT + 1}"))

    assert (answer.status, answer.headers["connection"]) == (413, "close")


async def test_identity_is_no_encoding() -> None:
    async with listening(reading()) as server:
        answer = await server.ask(post("Content-Length: 2", "Content-Encoding: Identity") + b"hi")

    assert answer.body == b"2"


async def test_malformed_chunks_are_a_400() -> None:
    async with listening(reading()) as server:
        caller = await server.caller()
        await caller.send(post("Transfer-Encoding: chunked"))
        await becomes(lambda: server.runner.requests_in_flight == 1)
        await caller.send(b"evil\r\n")
        answer = await caller.answer()

    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (400, "bad_request")


async def test_a_caller_that_goes_while_sending_cancels_the_read() -> None:
    cancelled = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        try:
            await read_body(request, LIMIT, 60)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return web.Response()

    async with listening(handle) as server:
        caller = await server.caller()
        await caller.send(post("Content-Length: 10"))
        await becomes(lambda: server.runner.requests_in_flight == 1)

        caller.abort()

        async with asyncio.timeout(5):
            await cancelled.wait()
