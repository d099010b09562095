"""What happens on one connection, seen from the caller's socket."""

import asyncio
import json
import logging
from typing import cast

import pytest
import uvloop
from aiohttp import web

from gateway.web.connections import Server
from gateway.web.protocol import Protocol
from tests.web.raw_http import (
    GET,
    Answer,
    Caller,
    Handler,
    Listening,
    becomes,
    happens,
    listening,
)

POST_CHUNKED = b"POST /evil HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"

MALFORMED = {
    "content length twice": b"POST /evil HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    b"Content-Length: 4\r\n\r\nabcd",
    "content length as a list": b"POST /evil HTTP/1.1\r\nHost: x\r\n"
    b"Content-Length: 3, 3\r\n\r\nabc",
    "negative content length": b"POST /evil HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc",
    "signed content length": b"POST /evil HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
    "content length and chunks": b"POST /evil HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and content length": b"POST /evil HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 3\r\n\r\n0\r\n\r\n",
    "unknown transfer coding": b"POST /evil HTTP/1.1\r\nHost: x\r\n"
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding under the chunks": b"POST /evil HTTP/1.1\r\nHost: x\r\n"
    b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST /evil HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk size that is no number": POST_CHUNKED + b"evil\r\nabc\r\n0\r\n\r\n",
    "chunk size that overflows": POST_CHUNKED + b"ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "chunk longer than its size": POST_CHUNKED + b"3\r\nabcX0\r\n\r\n",
    "space before a colon": b"GET /evil HTTP/1.1\r\nHost : x\r\n\r\n",
    "folded header": b"GET /evil HTTP/1.1\r\nHost: x\r\nA: b\r\n evil\r\n\r\n",
    "NUL in a header": b"GET /evil HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n",
    "NUL in the target": b"GET /evil\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "bare CR": b"GET /evil HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n",
    "bare LF": b"GET /evil HTTP/1.1\nHost: x\n\n",
    "lower-case method": b"get /evil HTTP/1.1\r\nHost: x\r\n\r\n",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03evil",
    "two hosts": b"GET /evil HTTP/1.1\r\nHost: x\r\nHost: evil\r\n\r\n",
    "no host": b"GET /evil HTTP/1.1\r\nA: x\r\n\r\n",
    "a target that names another host": b"GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target that names a user": b"GET http://evil@x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target that is no URL": b"GET evil HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/0.9": b"GET /evil\r\n\r\n",
    "HTTP/2.0": b"GET /evil HTTP/2.0\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT [:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a WebSocket": b"GET /evil HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n"
    b"Upgrade: websocket\r\n\r\n",
    "empty header name": b"GET /evil HTTP/1.1\r\nHost: x\r\n: evil\r\n\r\n",
}


async def hello(_request: web.Request) -> web.Response:
    return web.Response(text="hello")


def code_of(answer: Answer) -> str:
    return str(json.loads(answer.body)["error"]["code"])


def protocol_of(server: Listening) -> Protocol:
    (protocol,) = cast("Server", server.runner.server).protocols
    return protocol


async def test_a_slow_head_is_cut_with_408_while_neighbours_are_answered() -> None:
    async with listening(hello, head_s=0.1) as server:
        dribblers = [await server.caller() for _ in range(20)]
        for dribbler in dribblers:
            await dribbler.send(b"GET / HTTP/1.1\r\nHo")

        neighbour = await server.ask()
        answers = [await dribbler.answer() for dribbler in dribblers]
        rests = [await dribbler.rest() for dribbler in dribblers]

    assert neighbour.status == 200
    assert {(answer.status, code_of(answer)) for answer in answers} == {(408, "request_timeout")}
    assert set(rests) == {b""}


async def test_a_head_that_keeps_coming_is_cut_all_the_same() -> None:
    async with listening(hello, head_s=0.3) as server:
        dribbler = await server.caller()
        await dribbler.send(b"GET / HTTP/1.1\r\nHost: x\r\n")

        async def dribble() -> None:
            while True:
                await dribbler.send(b"a: b\r\n")
                await asyncio.sleep(0.05)

        dribbling = asyncio.create_task(dribble())
        answer = await dribbler.answer()
        dribbling.cancel()

    assert answer.status == 408


async def test_a_connection_that_says_nothing_is_closed_without_an_answer() -> None:
    async with listening(hello, head_s=0.1) as server:
        silent = await server.caller()

        assert await silent.rest() == b""


async def test_a_kept_alive_connection_may_idle_longer_than_a_head_may_take() -> None:
    async with listening(hello, head_s=0.1) as server:
        idle = await server.caller()
        await idle.send(GET)
        await idle.answer()
        later = await server.caller()
        await later.send(b"G")
        assert (await later.answer()).status == 408

        await idle.send(GET)

        assert (await idle.answer()).status == 200


async def test_a_body_may_take_longer_than_a_head_and_its_end_begins_no_new_head() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async with listening(echo, head_s=0.1) as server:
        slow = await server.caller()
        await slow.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        assert (await server.ask(b"G")).status == 408
        await slow.send(b"cd")
        assert (await slow.answer()).body == b"abcd"
        assert (await server.ask(b"G")).status == 408

        await slow.send(GET)

        assert (await slow.answer()).status == 200


async def test_a_slow_second_head_is_cut_too() -> None:
    async with listening(hello, head_s=0.1) as server:
        caller = await server.caller()
        await caller.send(GET)
        await caller.answer()

        await caller.send(b"GET / HT")

        assert (await caller.answer()).status == 408
        assert await caller.rest() == b""


async def test_an_unfinished_head_does_not_cut_the_request_before_it() -> None:
    release = asyncio.Event()

    async def wait(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response(text="first")

    async with listening(wait, head_s=0.1) as server:
        caller = await server.caller()
        await caller.send(GET)
        await becomes(lambda: server.runner.requests_in_flight == 1)
        await caller.send(b"GET / HT")
        assert (await server.ask(b"G")).status == 408

        release.set()

        assert (await caller.answer()).body == b"first"
        assert (await caller.answer()).status == 408


async def test_an_idle_connection_is_closed_after_keepalive_s() -> None:
    async with listening(hello, keepalive_s=0.1) as server:
        caller = await server.caller()
        await caller.send(GET)
        await caller.answer()

        assert await caller.rest() == b""


@pytest.mark.parametrize("is_dribbled", [False, True])
@pytest.mark.parametrize("request_bytes", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_request_is_refused_in_silence_and_not_executed(
    request_bytes: bytes, is_dribbled: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, "asyncio")
    executed: list[str] = []

    async def note(request: web.Request) -> web.Response:
        await request.read()
        executed.append(request.path)
        return web.Response()

    async with listening(note) as server:
        caller = await server.caller()
        sent = request_bytes + GET
        step = 1 if is_dribbled else len(sent)
        for start in range(0, len(sent), step):
            await caller.send(sent[start : start + step])
            await asyncio.sleep(0)
        answer = await caller.answer()
        rest = await caller.rest()

    assert (answer.status, code_of(answer)) == (400, "bad_request")
    assert answer.headers["connection"] == "close"
    assert b"evil" not in answer.body
    assert rest == b""
    assert executed == []
    assert caplog.records == []


async def test_an_absolute_target_that_names_its_host_is_served() -> None:
    async with listening(hello) as server:
        answer = await server.ask(b"GET http://X:80/a HTTP/1.1\r\nHost: x\r\n\r\n")

    assert answer.status == 200


async def test_requests_before_a_malformed_one_are_answered() -> None:
    release = asyncio.Event()

    async def wait(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    async with listening(wait) as server:
        caller = await server.caller()
        await caller.send(GET)
        await becomes(lambda: server.runner.requests_in_flight == 1)
        await caller.send(b"evil\r\n\r\n")
        await caller.send(GET)
        release.set()

        assert (await caller.answer()).status == 200
        assert (await caller.answer()).status == 400
        assert await caller.rest() == b""


@pytest.mark.parametrize(
    ("target", "header", "headers", "expected"),
    [
        (100 * 1024, 100, 1, (200, None)),
        (129 * 1024, 100, 1, (414, "uri_too_long")),
        (1024 * 1024, 100, 1, (414, "uri_too_long")),
        (10, 16 * 1024 - 10, 1, (200, None)),
        (10, 17 * 1024, 1, (431, "headers_too_large")),
        (10, 10, 99, (200, None)),
        (10, 10, 100, (431, "headers_too_large")),
    ],
)
async def test_each_limit_of_a_head_has_its_own_answer(
    target: int, header: int, headers: int, expected: tuple[int, str | None]
) -> None:
    request = b"GET /%b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (
        b"a" * target,
        b"A: %b\r\n" % (b"b" * header) * headers,
    )
    async with listening(hello) as server:
        answer = await server.ask(request)

    assert (answer.status, code_of(answer) if answer.status != 200 else None) == expected


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 3000), 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: %b\r\n\r\n" % (b"a" * 3000), 431),
    ],
)
async def test_line_and_header_are_told_apart_when_their_limits_are_equal(
    request_bytes: bytes, status: int
) -> None:
    async with listening(hello, request_line_bytes=2048, header_bytes=2048) as server:
        answer = await server.ask(request_bytes)

    assert answer.status == status


async def test_a_handler_that_reads_a_malformed_body_answers_400_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async with listening(read) as server:
        caller = await server.caller()
        await caller.send(POST_CHUNKED)
        await becomes(lambda: server.runner.requests_in_flight == 1)
        await caller.send(b"evil\r\n")
        await caller.send(GET)
        answer = await caller.answer()
        rest = await caller.rest()

    assert (answer.status, code_of(answer)) == (400, "bad_request")
    assert answer.headers["connection"] == "close"
    assert rest == b""
    assert caplog.records == []


async def test_a_handler_that_ignores_a_malformed_body_answers_as_it_likes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = asyncio.Event()

    async def ignore(_request: web.Request) -> web.Response:
        await broken.wait()
        return web.Response(text="done")

    async with listening(ignore) as server:
        caller = await server.caller()
        await caller.send(POST_CHUNKED)
        await becomes(lambda: server.runner.requests_in_flight == 1)
        await caller.send(b"evil\r\n")
        protocol = protocol_of(server)
        await becomes(lambda: protocol._is_refused)  # noqa: SLF001  # No other sign of it.
        broken.set()
        answer = await caller.answer()
        rest = await caller.rest()

    assert (answer.body, answer.headers["connection"], rest) == (b"done", "close", b"")
    assert caplog.records == []


@pytest.mark.parametrize("failure", [ValueError("secret"), TimeoutError("secret")])
async def test_a_failing_handler_is_a_500_that_tells_nothing_and_a_log_record_that_does(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_request: web.Request) -> web.Response:
        raise failure

    async with listening(fail) as server:
        answer = await server.ask()

    (record,) = caplog.records
    assert (answer.status, code_of(answer)) == (500, "internal_error")
    assert b"secret" not in answer.body
    assert record.exc_info is not None
    assert record.exc_info[1] is failure


async def test_a_handler_that_returns_nothing_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    async def forget(_request: web.Request) -> web.Response:
        return None  # type: ignore[return-value]  # The mistake in question.

    async with listening(forget) as server:
        answer = await server.ask()

    assert (answer.status, code_of(answer)) == (500, "internal_error")
    assert len(caplog.records) == 1


async def test_a_failure_after_the_first_byte_cuts_the_answer() -> None:
    async def begin(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"begun")
        msg = "secret"
        raise ValueError(msg)

    async with listening(begin) as server:
        caller = await server.caller()
        await caller.send(GET)
        received = await caller.rest()

    assert received.endswith(b"\r\n\r\n5\r\nbegun\r\n")


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"GET /evil HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found"),
        (b"PUT /there HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method_not_allowed"),
        (b"GET /there HTTP/1.1\r\nHost: x\r\nExpect: evil\r\n\r\n", 400, "bad_request"),
        (b"GET /there HTTP/1.1\r\nHost: x\r\nExpect: 100-\xb6\r\n\r\n", 400, "bad_request"),
    ],
)
async def test_what_aiohttp_refuses_itself_is_in_our_words(
    request_bytes: bytes, status: int, code: str
) -> None:
    app = web.Application()
    app.router.add_get("/there", hello)

    async with listening(app) as server:
        answer = await server.ask(request_bytes)

    assert (answer.status, code_of(answer)) == (status, code)
    assert b"evil" not in answer.body
    assert answer.headers.get("allow") == ("get,head" if status == 405 else None)


async def test_expect_100_continue_is_answered_before_the_body_is_sent() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async with listening(echo) as server:
        caller = await server.caller()
        await caller.send(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        go_on = await caller.answer()
        await caller.send(b"hi")
        answer = await caller.answer()

    assert (go_on.status, answer.status, answer.body) == (100, 200, b"hi")


@pytest.mark.parametrize("go", [Caller.abort, Caller.half_close])
@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_caller_that_goes_cancels_its_handler(go: object, loop_factory: object) -> None:
    assert callable(go)
    assert callable(loop_factory)
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"x")
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return response

    async def scenario() -> int:
        async with listening(wait) as server:
            caller = await server.caller()
            await caller.send(GET)
            await happens(started)

            go(caller)

            await happens(cancelled)
            await becomes(lambda: server.runner.open_connections == 0)
            return server.runner.requests_in_flight

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        in_flight = runner.run(scenario())

    assert in_flight == 0


async def test_a_half_closed_caller_is_gone_even_while_a_stream_flows() -> None:
    cancelled = asyncio.Event()

    async def flow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        finally:
            cancelled.set()

    async with listening(flow) as server:
        caller = await server.caller()
        await caller.send(GET)
        await caller.until(b"\r\n\r\n")

        caller.half_close()

        await happens(cancelled)


async def test_pipelined_requests_wait_outside_while_one_is_handled() -> None:
    release = asyncio.Event()
    started: list[str] = []

    async def wait(request: web.Request) -> web.Response:
        started.append(request.path)
        await release.wait()
        return web.Response(text=request.path)

    async with listening(wait) as server:
        caller = await server.caller()
        await caller.send(b"".join(GET.replace(b"/ ", b"/%d " % n) for n in range(2000)))
        await becomes(lambda: started == ["/0"])
        protocol = protocol_of(server)
        transport = protocol.transport
        assert transport is not None
        await becomes(lambda: not transport.is_reading())
        queued = len(protocol._messages)  # noqa: SLF001  # Memory, which no answer shows.

        release.set()
        answers = [await caller.answer() for _ in range(2000)]

    assert queued <= 32
    assert [answer.body.decode() for answer in answers] == [f"/{n}" for n in range(2000)]


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65536)


async def _huge(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b"x" * 32 * 1024 * 1024)


async def _closing(request: web.Request) -> web.StreamResponse:
    transport = request.transport
    assert transport is not None
    while transport.get_write_buffer_size() == 0:
        transport.write(b"x" * 4096)
    response = web.Response()
    response.force_close()
    return response


@pytest.mark.parametrize("handler", [_endless, _huge, _closing])
async def test_a_caller_that_does_not_read_is_cut_after_write_s(handler: Handler) -> None:
    async with listening(handler, write_s=0.1) as server:
        caller = await server.caller()
        await caller.send(GET)
        await becomes(lambda: server.runner.open_connections == 1)

        await becomes(lambda: server.runner.open_connections == 0)
        await becomes(lambda: server.runner.requests_in_flight == 0)
