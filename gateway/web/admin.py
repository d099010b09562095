"""The operator's listener: `/metrics` and `/health` for who watches, `/admin` for who changes."""

import asyncio
import logging

import orjson
from aiohttp import hdrs, web

from gateway.background import Background
from gateway.schema.failure import CallError
from gateway.state.errors import StateError
from gateway.state.keys import KeyBook
from gateway.web import admin_config, admin_explain, admin_keys, admin_usage, health
from gateway.web.admin_keys import BACKGROUND, KEY_BOOK
from gateway.web.middleware import Handler, name_admin_request, render_errors
from gateway.web.operator_secret import is_secret
from gateway.web.others import OTHERS
from gateway.web.received import services_of, shared_headers
from gateway.web.serving import SERVING, Serving, json_response

_log = logging.getLogger("dynagate.web")
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
_ADMIN = "/admin"
_MOST_S = 30.0
"""How long one request under `/admin` may take, its body included."""


def admin_app(
    serving: Serving, key_book: KeyBook | None, background: Background
) -> web.Application:
    """Return the application of the admin listener; it never answers with CORS headers."""
    app = web.Application(middlewares=[name_admin_request, render_errors, admit_operator])
    app[SERVING], app[KEY_BOOK], app[BACKGROUND] = serving, key_book, background
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/health", health.health)
    app.router.add_get("/health/readiness", readiness)
    add_routes(app.router)
    return app


def add_routes(router: web.UrlDispatcher) -> None:
    """Add the paths below `/admin`."""
    admin_keys.add_routes(router)
    admin_usage.add_routes(router)
    admin_config.add_routes(router)
    admin_explain.add_routes(router)
    router.add_get("/admin/targets", targets)


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics` in Prometheus' text format; open to loopback alone."""
    if not (request.remote or "").startswith(("127.", "::1")):
        raise CallError("key_required", "metrics are open to this machine only")
    others = request.app.get(OTHERS)
    own = services_of(request).metrics
    body = own.text() if others is None else await others.scrape()
    return web.Response(body=body, headers={**shared_headers(request), "Content-Type": _PROMETHEUS})


@web.middleware
async def admit_operator(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ask for the secret wherever a path begins with `/admin`, and bound what is done there."""
    # What is routed counts, and not how the path was spelt; what is not routed does nothing.
    resource = request.match_info.route.resource
    path = request.path if resource is None else resource.canonical
    if not path.startswith(_ADMIN):
        return await handler(request)
    _check_secret(request)
    try:
        async with asyncio.timeout(_MOST_S):
            return await handler(request)
    except TimeoutError:
        message = f"this took more than {_MOST_S:g} s; look whether it was done"
        raise CallError("deadline_exceeded", message) from None
    except StateError as error:
        _log.warning("%s %s: %s", request.method, path, error)
        message = "the database of state.url cannot be used now; the log says why"
        raise CallError("unavailable", message, retry_after_s=1) from None


def _check_secret(request: web.Request) -> None:
    secret = services_of(request).document.admin.secret.get_secret_value()
    if not secret:
        raise CallError("admin_off", "/admin is off: write admin.secret in the configuration")
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    challenge = {"WWW-Authenticate": 'Bearer realm="dynagate admin"'}
    if scheme.lower() != "bearer":
        message = "send admin.secret as Authorization: Bearer …"
        raise CallError("key_required", message, headers=challenge)
    if not is_secret(given.strip(), secret):
        message = "this is not admin.secret; callers' keys open nothing here"
        raise CallError("invalid_api_key", message, headers=challenge)


async def targets(request: web.Request) -> web.Response:
    """`GET /admin/targets`: how targets are, by what calls met there."""
    others = request.app.get(OTHERS)
    if others is None:
        told = [one.told() for one in services_of(request).health]
    else:
        told = await others.targets()
    return json_response(request, orjson.dumps({"targets": told}))


async def readiness(request: web.Request) -> web.Response:
    """`GET /health/readiness`: as callers' own, and with several processes that all are ready."""
    others = request.app.get(OTHERS)
    if others is None:
        return await health.readiness(request)
    is_ready, said = await others.readiness()
    said = {**said, "configuration": health.configuration_of(request.app[SERVING])}
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    body, status = orjson.dumps(said), 200 if is_ready else 503
    return web.Response(status=status, body=body, headers={**headers, **shared_headers(request)})
