"""A throw-away gateway, only as good as the checks need it without a defect, and how it listens."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from gateway.config.listeners import Bounds
from gateway.testing.server import render_error
from gateway.web.server import Runner
from tests.faults.stand_in.admission import Admission
from tests.faults.stand_in.asked import question
from tests.faults.stand_in.attempts import Attempts
from tests.faults.stand_in.errors import UpstreamFailedError, refusal
from tests.faults.stand_in.keys import KeyRing
from tests.faults.stand_in.settings import Settings
from tests.faults.stand_in.targets import Targets

_STEERING = ("api_base", "base_url")


class StandIn:
    """The whole of it; one for each application."""

    def __init__(self, settings: Settings, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self.keys = KeyRing(settings)
        self._admission = Admission(settings)
        self._targets = Targets(settings)
        self._attempts = Attempts(settings, session)
        self.is_draining = False

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """Answer one question."""
        if self.is_draining:
            return refusal(503, "stopping")
        if (refused := self.keys.refused(request)) is not None:
            return refused
        try:
            asked = await question(request, self._settings)
        except (ValueError, TypeError, RecursionError) as error:
            if "raw_errors" in self._settings.defects:
                raise
            return refusal(400, f"no JSON object: {type(error).__name__}")
        who = self._admission.caller(request)
        left = await self._admission.take(who)
        if left is None:
            return refusal(429, "too many")
        is_gone = False
        try:
            return await self._answer(request, asked, str(left))
        except asyncio.CancelledError:
            is_gone = True
            raise
        finally:
            self._admission.leave(who, is_gone=is_gone)

    async def _answer(
        self, request: web.Request, asked: dict[str, Any], remaining: str
    ) -> web.StreamResponse:
        urls = self._settings.urls
        if steered := [asked[name] for name in _STEERING if name in asked]:
            if "obeys_body" not in self._settings.defects:
                return refusal(400, "who answers is not for the body to say")
            urls = tuple(steered)
        try:
            return await self._targets.answered(
                lambda url: self._attempts.ask(request, url, asked, remaining), urls
            )
        except UpstreamFailedError as failed:
            answer = refusal(failed.status, str(failed))
            if failed.retry_after:
                answer.headers["Retry-After"] = failed.retry_after
            answer.headers["X-RateLimit-Remaining"] = remaining
            return answer


def application(document: Mapping[str, Any]) -> web.Application:
    """Return the application that a configuration, and its list of `defects`, asks for."""
    app = web.Application(client_max_size=2**40)
    key = web.AppKey("stand_in", StandIn)
    settings = Settings.of(document)

    async def session(app: web.Application) -> AsyncGenerator[None]:
        http = next(iter(document["providers"].values())).get("http", {})
        limit = 0 if "no_pool" in settings.defects else http.get("connections", 0)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=64 * 1024,
        ) as client:
            app[key] = StandIn(settings, client)
            yield

    async def chat(request: web.Request) -> web.StreamResponse:
        return await app[key].chat(request)

    async def health(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="ok", status=503 if app[key].is_draining else 200)

    async def make_key(request: web.Request) -> web.StreamResponse:
        return await app[key].keys.create(request)

    async def revoke_key(request: web.Request) -> web.StreamResponse:
        return await app[key].keys.revoke(request)

    async def drain(_app: web.Application) -> None:
        app[key].is_draining = True

    app.cleanup_ctx.append(session)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/health", health)
    app.router.add_get("/health/readiness", health)
    app.router.add_post("/admin/keys", make_key)
    app.router.add_delete("/admin/keys/{id}", revoke_key)
    app.on_shutdown.append(drain)
    return app


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
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
