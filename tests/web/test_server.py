"""The listener: where it is, how many it takes, and how it ends."""

import asyncio
import json
import logging
import os
import resource
import socket
import subprocess
import sys
from typing import cast

import pytest
import uvloop
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from gateway.config.listeners import Bounds
from gateway.testing.server import GatewayServer, render_error
from gateway.web.connections import Server
from gateway.web.server import Runner
from tests.web.raw_http import (
    GET,
    Caller,
    Listening,
    application,
    becomes,
    happens,
    listening,
)

POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"


class Desk:
    """Handlers that tell when they begin, and wait to be told to end."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def hello(self, _request: web.Request) -> web.Response:
        """Answer at once."""
        return web.Response(text="hello")

    async def wait(self, _request: web.Request) -> web.Response:
        """Answer when released."""
        self.begun.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return web.Response(text="done")

    async def insist(self, _request: web.Request) -> web.Response:
        """As `wait`, and never give in to a cancellation."""
        self.begun.set()
        while not self.release.is_set():
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
        return web.Response()

    async def upload(self, request: web.Request) -> web.Response:
        """Return the body."""
        self.begun.set()
        return web.Response(body=await request.read())

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send one chunk, and another when released."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"a")
        self.begun.set()
        await self.release.wait()
        await response.write(b"b")
        return response

    def app(self) -> web.Application:
        """Return an application with each handler at its name."""
        app = web.Application()
        for name in ("hello", "wait", "insist", "upload", "stream"):
            app.router.add_route("*", f"/{name}", getattr(self, name))
        return app


def get(name: str) -> bytes:
    return GET.replace(b"/ ", b"/%b " % name.encode())


async def working(server: Listening, desk: Desk, name: str) -> Caller:
    """Return a caller whose request for `name` is in its handler."""
    caller = await server.caller()
    await caller.send(get(name))
    await happens(desk.begun)
    return caller


async def test_the_newest_connection_over_the_cap_is_aborted_and_a_freed_place_is_taken() -> None:
    async with listening(Desk().app(), connections=2) as server:
        first, second = await server.caller(), await server.caller()
        for caller in (first, second):
            await caller.send(get("hello"))
            await caller.answer()

        third = await server.caller()
        await third.send(get("hello"))
        assert await third.rest() == b""
        assert server.runner.open_connections == 2

        first.abort()
        await becomes(lambda: server.runner.open_connections == 1)
        assert (await server.ask(get("hello"))).status == 200


def test_the_cap_holds_on_uvloop() -> None:
    async def scenario() -> tuple[bytes, int]:
        async with listening(Desk().app(), connections=1) as server:
            assert (await server.ask(get("hello"))).status == 200
            second = await server.caller()
            await second.send(get("hello"))
            return await second.rest(), server.runner.open_connections

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(scenario()) == (b"", 1)


async def test_without_a_cap_half_of_the_descriptors_are_for_callers() -> None:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async with listening(Desk().app()) as server:
        terms = cast("Server", server.runner.server)._terms  # noqa: SLF001  # Too many to open.

        assert terms.max_connections == (
            65_536 if soft == resource.RLIM_INFINITY else max(1, soft // 2)
        )


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO tells a listener's backlog on Linux")
@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_kernel_queues_as_many_as_the_backlog_says(loop_factory: object) -> None:
    assert callable(loop_factory)

    async def scenario() -> int:
        async with listening(Desk().app(), backlog=99) as server:
            (site,) = server.runner.sites
            listener = cast("asyncio.Server", site._server).sockets[0]  # noqa: SLF001
            info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
            # tcpi_sacked, which is the backlog's size for a socket that listens (tcp(7), tcp.h).
            return int.from_bytes(info[28:32], sys.byteorder)

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(scenario()) == 99


async def test_requests_and_connections_are_counted() -> None:
    desk = Desk()
    async with listening(desk.app()) as server:
        before = (server.runner.requests_in_flight, server.runner.open_connections)
        caller = await working(server, desk, "wait")
        during = (server.runner.requests_in_flight, server.runner.open_connections)
        desk.release.set()
        await caller.answer()
        await becomes(lambda: server.runner.requests_in_flight == 0)

    assert (before, during) == ((0, 0), (1, 1))
    assert (server.runner.requests_in_flight, server.runner.open_connections) == (0, 0)


async def test_while_draining_probes_are_answered_and_each_answer_ends_its_connection() -> None:
    desk = Desk()
    async with listening(desk.app()) as server:
        kept_alive = await server.caller()
        await kept_alive.send(get("hello"))
        before = await kept_alive.answer()
        at_work = await working(server, desk, "wait")

        server.runner.begin_drain()

        await kept_alive.send(get("hello"))
        answers = [await kept_alive.answer(), await server.ask(get("hello"))]
        desk.release.set()
        answers.append(await at_work.answer())
        assert server.runner.is_draining
        assert "connection" not in before.headers
        assert [answer.headers.get("connection") for answer in answers] == ["close"] * 3
        assert answers[-1].body == b"done"
        assert await kept_alive.rest() == b""


async def test_a_stream_that_had_begun_when_draining_began_ends_its_connection() -> None:
    desk = Desk()
    async with listening(desk.app()) as server:
        caller = await working(server, desk, "stream")

        server.runner.begin_drain()
        desk.release.set()

        assert (await caller.rest()).endswith(b"1\r\nb\r\n0\r\n\r\n")


async def test_stop_lets_requests_finish_and_answers_probes_until_then() -> None:
    desk = Desk()
    async with listening(desk.app(), drain_s=5) as server:
        port = server.port
        at_work = await working(server, desk, "wait")
        idle = await server.caller()
        await idle.send(get("hello"))
        await idle.answer()

        stopping = asyncio.create_task(server.runner.stop())
        await becomes(lambda: server.runner.is_draining)
        probe = await server.ask(get("hello"))
        desk.release.set()
        answer = await at_work.answer()
        await stopping

        assert (probe.status, answer.body, await idle.rest()) == (200, b"done", b"")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_an_upload_in_flight_is_read_to_its_end_while_draining() -> None:
    desk = Desk()
    async with listening(desk.app(), drain_s=5) as server:
        caller = await server.caller()
        await caller.send(POST.replace(b"/ ", b"/upload ") + b"ab")
        await happens(desk.begun)

        stopping = asyncio.create_task(server.runner.stop())
        await becomes(lambda: server.runner.is_draining)
        await caller.send(b"cd")
        answer = await caller.answer()
        await stopping

    assert answer.body == b"abcd"


async def test_a_request_that_begins_while_draining_is_waited_for_too() -> None:
    desk, late = Desk(), asyncio.Event()

    async def last(_request: web.Request) -> web.Response:
        late.set()
        await desk.cancelled.wait()
        return web.Response(text="late")

    app = desk.app()
    app.router.add_get("/last", last)
    async with listening(app, drain_s=5) as server:
        at_work = await working(server, desk, "wait")
        caller = await server.caller()
        stopping = asyncio.create_task(server.runner.stop())
        await becomes(lambda: server.runner.is_draining)
        await caller.send(get("last"))
        await happens(late)

        desk.release.set()
        await at_work.answer()
        await becomes(lambda: not server.runner.addresses)
        desk.cancelled.set()

        assert (await caller.answer()).body == b"late"
        await stopping


async def test_at_the_deadline_handlers_are_cancelled() -> None:
    desk = Desk()
    async with listening(desk.app(), drain_s=0.05) as server:
        caller = await working(server, desk, "wait")

        async with asyncio.timeout(2):
            await server.runner.stop()

        assert desk.cancelled.is_set()
        assert await caller.rest() == b""


async def test_a_handler_that_will_not_be_cancelled_does_not_hold_the_exit() -> None:
    desk = Desk()
    async with listening(desk.app(), drain_s=0.05) as server:
        caller = await working(server, desk, "insist")

        async with asyncio.timeout(2):
            await server.runner.stop()

        assert desk.cancelled.is_set()
        assert await caller.rest() == b""
        desk.release.set()


async def test_a_caller_that_does_not_read_does_not_hold_the_exit() -> None:
    begun = asyncio.Event()

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        begun.set()
        while True:
            await response.write(b"x" * 65536)

    async with listening(flood, drain_s=0.05) as server:
        caller = await server.caller()
        await caller.send(GET)
        await happens(begun)

        async with asyncio.timeout(2):
            await server.runner.stop()

        assert server.runner.open_connections == 0


@pytest.mark.parametrize("is_failing", [True, False])
async def test_on_shutdown_neither_holds_nor_spoils_the_exit(
    is_failing: bool, caplog: pytest.LogCaptureFixture
) -> None:
    cleaned = asyncio.Event()

    async def misbehave(_app: web.Application) -> None:
        if is_failing:
            msg = "a bug"
            raise ValueError(msg)
        await asyncio.Event().wait()

    async def clean(_app: web.Application) -> None:
        cleaned.set()

    app = Desk().app()
    app.on_shutdown.append(misbehave)
    app.on_cleanup.append(clean)
    async with listening(app, drain_s=0.05) as server:
        async with asyncio.timeout(2):
            await server.runner.stop()

        assert cleaned.is_set()
        assert [record.levelno for record in caplog.records] == [
            logging.ERROR if is_failing else logging.WARNING
        ]


async def test_endless_streams_can_end_in_on_shutdown() -> None:
    desk = Desk()

    async def release(_app: web.Application) -> None:
        desk.release.set()

    app = desk.app()
    app.on_shutdown.append(release)
    async with listening(app, drain_s=5) as server:
        caller = await working(server, desk, "stream")

        async with asyncio.timeout(2):
            await server.runner.stop()

        assert (await caller.rest()).endswith(b"0\r\n\r\n")


async def test_a_port_that_is_taken_is_an_error_and_the_application_is_cleaned_up() -> None:
    cleaned = asyncio.Event()

    async def clean(_app: web.Application) -> None:
        cleaned.set()

    app = Desk().app()
    app.on_cleanup.append(clean)
    runner = Runner(app, Bounds(), render_error=render_error, drain_s=0)
    async with listening(Desk().app()) as server:
        with pytest.raises(OSError, match="in use"):
            await runner.start("127.0.0.1", server.port)

    assert cleaned.is_set()


def test_without_the_c_parser_it_does_not_start() -> None:
    program = """
import asyncio
from aiohttp import web
from gateway.config.listeners import Bounds
from gateway.web.server import Runner
runner = Runner(web.Application(), Bounds(), render_error=lambda error: (500, {}, b""), drain_s=0)
asyncio.run(runner.start("127.0.0.1", 0))
"""

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "AIOHTTP_NO_EXTENSIONS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "RuntimeError: aiohttp runs without its C parser" in done.stderr


async def test_pytest_aiohttp_takes_our_server(aiohttp_client: AiohttpClient) -> None:
    client: TestClient[web.Request, None] = await aiohttp_client(
        GatewayServer(application(Desk().hello))
    )

    answer = await client.get("/anything")
    refused = await client.get("/", headers={"A": "b" * 17_000})

    assert await answer.text() == "hello"
    assert refused.status == 431
    assert json.loads(await refused.read())["error"]["code"] == "headers_too_large"


async def test_our_test_server_cuts_what_runs_when_it_closes() -> None:
    desk = Desk()
    async with asyncio.TaskGroup() as group:
        server = GatewayServer(desk.app(), drain_s=0.05)
        await server.start_server()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(get("wait"))
        await happens(desk.begun)

        group.create_task(server.close())

        assert await reader.read() == b""
        writer.close()
    assert desk.cancelled.is_set()
