"""The stand-in as an application, and how it listens."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from gateway.config.listeners import Bounds
from gateway.testing.server import render_error
from gateway.web.server import Runner
from tests.faults.stand_in.answering import StandIn
from tests.faults.stand_in.openapi import DOCUMENT
from tests.faults.stand_in.settings import Settings

_KEY = web.AppKey("stand_in", StandIn)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_BEAT_S = 0.1
_STALLED_S = 1.0


def application(document: Mapping[str, Any]) -> web.Application:
    """Return the application that a configuration, and its list of `defects`, asks for."""
    app = web.Application(client_max_size=2**40)
    settings = Settings.of(document)

    async def begin(app: web.Application) -> AsyncGenerator[None]:
        http = next(iter(document["providers"].values())).get("http", {})
        limit = 0 if "no_pool" in settings.defects else http.get("connections", 0)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=64 * 1024,
        ) as client:
            standing = app[_KEY] = StandIn(settings, client)
            yield
            standing.ledger.close()
            await standing.admission.close()

    async def drain(_app: web.Application) -> None:
        app[_KEY].is_draining = True

    async def schema(request: web.Request) -> web.StreamResponse:
        if "buffer_all" in settings.defects and request.transport is not None:
            request.transport.set_write_buffer_limits(2**30)
        return web.json_response(DOCUMENT)

    app.cleanup_ctx.append(begin)
    app.on_shutdown.append(drain)
    router = app.router
    router.add_get("/openapi.json", schema)
    router.add_get("/v1/models", _models)
    router.add_get("/health", _health)
    router.add_get("/health/readiness", _health)
    router.add_post("/v1/chat/completions", _by(lambda one: one.chat))
    # A dot takes no line break.
    router.add_get(r"/text/{prompt:[\s\S]*}", _by(lambda one: one.text))
    router.add_get("/api/generate_response", _by(lambda one: one.generate))
    router.add_post("/api/generate_response", _by(lambda one: one.generate))
    router.add_get("/api/text/feed", _by(lambda one: one.feed.read))
    router.add_post("/admin/keys", _by(lambda one: one.keys.create))
    router.add_delete("/admin/keys/{id}", _by(lambda one: one.keys.revoke))
    return app


def _by(choose: Callable[[StandIn], _Handler]) -> _Handler:
    """Return a handler that is the stand-in's, which is made when the application starts."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await choose(request.app[_KEY])(request)

    return handle


async def _models(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"object": "list", "data": [{"id": "openai"}]})


async def _health(request: web.Request) -> web.StreamResponse:
    is_draining = request.app[_KEY].is_draining
    return web.json_response({"shared": "ok"}, status=503 if is_draining else 200)


@asynccontextmanager
async def listening(
    app: web.Application, document: Mapping[str, Any], port: int
) -> AsyncGenerator[int]:
    """Serve on `port`, by our own runner unless the defect is aiohttp's; yield the port."""
    defects = document.get("defects", ())
    runner: web.AppRunner
    if "stock_server" in defects:
        runner = web.AppRunner(app, shutdown_timeout=0.05)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
    else:
        server = document["server"]
        bounds = Bounds(**server.get("bounds", {}))
        drain_s = 0.0 if "cuts_drain" in defects else server.get("drain_s", 0)
        drain_s = 3600.0 if "drains_for_ever" in defects else drain_s
        runner = Runner(app, bounds, render_error=render_error, drain_s=drain_s)
        await runner.start("127.0.0.1", port)
    heart = asyncio.ensure_future(_cut_if_stalled(runner)) if "cuts_stalled" in defects else None
    try:
        yield int(runner.addresses[0][1])
    finally:
        if heart is not None:
            heart.cancel()
        await runner.cleanup()


async def _cut_if_stalled(runner: web.AppRunner) -> None:
    """Drop every connection when the process has stood still."""
    while True:
        before = time.monotonic()
        await asyncio.sleep(_BEAT_S)
        if time.monotonic() - before > _STALLED_S and runner.server is not None:
            for connection in runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
