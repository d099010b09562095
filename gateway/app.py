"""The composition root: a configuration becomes a running gateway."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from gateway.background import Background
from gateway.config.document import Document
from gateway.config.load import Loaded
from gateway.config.places import state_dir
from gateway.config.reload import Standing
from gateway.connecting import Connector
from gateway.crew.post import Post
from gateway.dialects.errors import error_body, error_headers
from gateway.pictures.pictures import Pictures
from gateway.pipeline.attempts.retries import RetryBudget
from gateway.pipeline.caching.recall import Memory
from gateway.pipeline.health.book import HealthBook
from gateway.pipeline.health.news import HealthNews
from gateway.pipeline.health.probes import Probes
from gateway.pipeline.limits.waiting import waiting_room
from gateway.pipeline.watch import Watches
from gateway.registry import ConfiguredProvider
from gateway.schema.failure import CallError
from gateway.sdk.clock import SystemClock
from gateway.sdk.providers import Clock
from gateway.snapshots.carry import tell
from gateway.snapshots.making import Maker
from gateway.snapshots.reloads import Reloads
from gateway.snapshots.snapshots import Snapshots
from gateway.state.opening import open_state
from gateway.state.shared import open_shared
from gateway.telemetry import logs
from gateway.telemetry.logs import CallLog, Sink
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redact import Redactor
from gateway.transport.fetch import connect_fetch
from gateway.web.admin import admin_app
from gateway.web.admin_config import RELOADING
from gateway.web.album import open_album
from gateway.web.feed_paths import end_feeds
from gateway.web.feeds import open_feeds
from gateway.web.middleware import name_request, render_errors
from gateway.web.once import Once
from gateway.web.routes import add_routes
from gateway.web.serving import PLAIN, SERVING, X_REQUEST_ID, Serving, new_request_id
from gateway.web.stream import EventStream, Pinger


@dataclass(slots=True)
class Gateway:
    """A gateway with its providers connected, not listening yet."""

    document: Document
    public: web.Application
    admin: web.Application
    serving: Serving
    snapshots: Snapshots
    reloads: Reloads
    redact: Redactor
    background: Background


@asynccontextmanager
async def open_gateway(
    loaded: Loaded,
    providers: Mapping[str, ConfiguredProvider],
    *,
    clock: Clock | None = None,
    sink: Sink | None = None,
    environ: Mapping[str, str] | None = None,
    post: Post | None = None,
    standing: Standing | None = None,
) -> AsyncGenerator[Gateway]:
    """Connect the providers and build the applications; leaving disconnects them.

    `post` says which of several processes this is, None that it is the only one; `standing` how
    the configuration stands that the others have already.
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
        health = HealthBook(document.health, clock)
        notices = shared.notices("health")
        if notices is not None:
            stack.callback(background.start("news", HealthNews(health, notices).run()))
        stack.callback(background.start("probes", Probes(health, background).run()))
        calls = Background()
        cache = document.cache
        maker = Maker(
            keys=state.keys,
            waiting=waiting_room(shared.counters, clock, document.limits),
            ledger=state.ledger,
            clock=clock,
            metrics=Metrics(lambda: state.ledger.standing, shared.condition, health.open_targets),
            log=call_log,
            pictures=pictures,
            redact=redact,
            fetch=fetch,
            health=health,
            retries=RetryBudget(document.retries, clock),
            background=background,
            memory=Memory(
                shared.cache("answers", size_bytes=cache.size_bytes), cache, clock, calls
            ),
        )
        connector = Connector(environ, clock, background, fetch, post)
        told = partial(tell, keys=state.keys, speaks=post is None or post.speaks)
        snapshots = Snapshots(connector, maker.snapshot, told)
        stack.push_async_callback(snapshots.aclose)
        # Calls that go on without a caller end before what answers and counts them.
        stack.push_async_callback(calls.aclose)
        standing = standing or Standing(1, clock.now().timestamp())
        first = await snapshots.prepare(loaded, providers, standing.generation)
        album = open_album(images.keep, state_dir(environ), clock)
        serving = Serving(
            first.snapshot,
            standing,
            Pinger(partial(_ping, background)),
            document.server.bounds,
            Watches(asyncio.get_running_loop()),
            album,
            open_feeds(shared, first.snapshot.services, album, background)
            if document.has_feeds
            else None,
            state,
            shared,
            Once(
                shared.cache("idempotency", size_bytes=document.idempotency.size_bytes),
                document.idempotency,
                calls,
            ),
        )
        snapshots.begin(first, serving)
        serving.stands(standing)
        del first  # This frame lasts as long as the gateway; no snapshot does.
        public = web.Application(middlewares=[name_request, render_errors])
        public[SERVING] = serving
        add_routes(public)
        public.on_shutdown.append(end_feeds)
        admin = admin_app(serving, state.key_book, background)
        reloads = Reloads(
            loaded,
            providers,
            environ,
            clock,
            swap=snapshots.swap,
            learn=redact.learn,
            tell=serving.told,
        )
        admin[RELOADING] = reloads
        yield Gateway(document, public, admin, serving, snapshots, reloads, redact, background)


def _ping(background: Background, stream: EventStream) -> None:
    background.start("ping", stream.ping())


def render_error(error: CallError) -> tuple[int, dict[str, str], bytes]:
    """Render an error of a request that no handler has seen."""
    headers: dict[str, str] = {X_REQUEST_ID: new_request_id(), **PLAIN}
    return error.status, headers | error_headers(error), error_body(error)
