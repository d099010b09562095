"""The composition root: a configuration becomes a running gateway."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from gateway.background import Background
from gateway.config.document import Document
from gateway.config.load import Loaded
from gateway.config.places import state_dir
from gateway.connecting import connect, routes_of
from gateway.crew.post import Post
from gateway.dialects.errors import error_body, error_headers
from gateway.pictures.pictures import Pictures
from gateway.pipeline.call import Services
from gateway.pipeline.gone_plans import gone_plans
from gateway.pipeline.health import HealthBook
from gateway.pipeline.identify import Identifier
from gateway.pipeline.news import HealthNews
from gateway.pipeline.prices import open_prices
from gateway.pipeline.probes import Probes
from gateway.pipeline.recall import Memory
from gateway.pipeline.retries import RetryBudget
from gateway.pipeline.route import Connected, Router
from gateway.pipeline.waiting import WaitingRoom
from gateway.pipeline.watch import Watches
from gateway.registry import ConfiguredProvider
from gateway.schema.failure import CallError
from gateway.sdk.clock import SystemClock
from gateway.sdk.providers import Clock
from gateway.state.folder import FolderObjects
from gateway.state.opening import open_state
from gateway.state.shared import open_shared
from gateway.telemetry import logs
from gateway.telemetry.logs import CallLog, Sink
from gateway.telemetry.metrics import Metrics
from gateway.transport.fetch import connect_fetch
from gateway.web.access import Access, admin_access
from gateway.web.admin import admin_app
from gateway.web.album import Album
from gateway.web.feed_paths import end_feeds
from gateway.web.feeds import open_feeds
from gateway.web.middleware import name_request, render_errors
from gateway.web.once import Once
from gateway.web.routes import add_routes
from gateway.web.serving import PLAIN, SERVING, X_REQUEST_ID, Serving, new_request_id
from gateway.web.snapshot import Snapshot
from gateway.web.stream import EventStream, Pinger

_log = logging.getLogger("dynagate")


@dataclass(slots=True)
class Gateway:
    """A gateway with its providers connected, not listening yet."""

    document: Document
    public: web.Application
    admin: web.Application
    serving: Serving
    connected: Mapping[str, Connected]


@asynccontextmanager
async def open_gateway(
    loaded: Loaded,
    providers: Mapping[str, ConfiguredProvider],
    *,
    clock: Clock | None = None,
    sink: Sink | None = None,
    environ: Mapping[str, str] | None = None,
    post: Post | None = None,
) -> AsyncGenerator[Gateway]:
    """Connect the providers and build the applications; leaving disconnects them.

    `post` says which of several processes this is, None that it is the only one.
    """
    document, clock = loaded.document, clock or SystemClock()
    environ = os.environ if environ is None else environ
    secrets = (*loaded.secrets, *(s for p in providers.values() for s in p.secrets))
    redact, is_json = logs.begin(document.logs, secrets)
    call_log = CallLog(sink or sys.stderr.buffer, clock, is_json=is_json)
    background = Background()
    async with AsyncExitStack() as stack:
        stack.callback(call_log.flush)
        stack.push_async_callback(background.aclose)
        state = await stack.enter_async_context(open_state(loaded, environ, clock))
        background.start("state", state.keep())
        for line in gone_plans(state.keys, document, now=clock.now().timestamp()):
            _log.warning(line)
        shared = await stack.enter_async_context(open_shared(loaded, clock, state.counters))
        background.start("shared", shared.keep())
        images = document.images
        fetch = await stack.enter_async_context(
            connect_fetch(document.egress.allow, clock=clock, body_bytes=images.source_bytes)
        )
        pictures = Pictures(
            clock=clock,
            log=logging.getLogger("dynagate.pictures"),
            max_bytes=images.source_bytes,
            max_pixels=images.source_pixels,
        )
        stack.push_async_callback(pictures.stopped)
        stack.callback(background.start("pictures", pictures.run()))
        connected = {
            name: await connect(provider, stack, environ, (clock, background, fetch), post)
            for name, provider in providers.items()
        }
        health = HealthBook(document.health, clock)
        routes = routes_of(document, connected, health)
        notices = shared.notices("health")
        if notices is not None:
            stack.callback(background.start("news", HealthNews(health, notices).run()))
        if document.health.probes:
            stack.callback(background.start("probes", Probes(health, background).run()))
        # Calls that go on without a caller end before what answers and counts them.
        calls = Background()
        stack.push_async_callback(calls.aclose)
        services = Services(
            document=document,
            router=Router(routes),
            identifier=Identifier(
                document.server.trusted_proxies,
                keys=state.keys,
                clock=clock,
                demands_key=document.auth.mode == "keys",
            ),
            waiting=WaitingRoom(
                shared.counters,
                clock,
                wait_s=document.limits.wait_s,
                places=document.limits.waiting,
            ),
            ledger=state.ledger,
            clock=clock,
            metrics=Metrics(lambda: state.ledger.standing, shared.condition, health.open_targets),
            log=call_log,
            pictures=pictures,
            redact=redact,
            fetch=fetch,
            prices=await open_prices(routes, clock, document.ledger.aborted),
            health=health,
            retries=RetryBudget(document.retries, clock),
            background=background,
            memory=Memory(
                shared.cache("answers", size_bytes=document.cache.size_bytes),
                document.cache,
                clock,
                calls,
            ),
            may_cost=document.server.is_loopback or document.limits.anonymous.budget is not None,
        )

        def ping(stream: EventStream) -> None:
            background.start("ping", stream.ping())

        unready = {name: one.missing for name, one in connected.items() if one.missing is not None}
        for name, reason in unready.items() if post is None or post.speaks else ():
            _log.info("provider %s is not configured (%s): its targets are skipped", name, reason)
        album = _album(document, clock, environ)
        serving = Serving(
            Snapshot(
                services,
                Access(document.server),
                admin_access(document.admin, document.server),
                unready,
            ),
            Pinger(ping),
            document.server.bounds,
            Watches(asyncio.get_running_loop()),
            album,
            open_feeds(shared, services, album, background) if document.has_feeds else None,
            state,
            shared,
            Once(
                shared.cache("idempotency", size_bytes=document.idempotency.size_bytes),
                document.idempotency,
                calls,
            ),
        )
        public = web.Application(middlewares=[name_request, render_errors])
        public[SERVING] = serving
        add_routes(public)
        public.on_shutdown.append(end_feeds)
        admin = admin_app(serving, state.key_book, background)
        yield Gateway(document, public, admin, serving, connected)


def _album(document: Document, clock: Clock, environ: Mapping[str, str]) -> Album:
    keep, folder = document.images.keep, state_dir(environ)
    keep_s = keep.hours * 3600
    objects = FolderObjects(folder / "pictures", clock, keep_s=keep_s, most_bytes=keep.bytes)
    return Album(objects, folder / "signing.key", clock)


def render_error(error: CallError) -> tuple[int, dict[str, str], bytes]:
    """Render an error of a request that no handler has seen."""
    headers: dict[str, str] = {X_REQUEST_ID: new_request_id(), **PLAIN}
    return error.status, headers | error_headers(error), error_body(error)
