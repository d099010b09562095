"""The operator's listener: `/metrics`, and `/health` for who watches it."""

from aiohttp import web

from gateway.schema.failure import CallError
from gateway.web import health
from gateway.web.middleware import name_admin_request, render_errors
from gateway.web.serving import SERVING, Serving, shared_headers

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def admin_app(serving: Serving) -> web.Application:
    """Return the application of the admin listener; it never answers with CORS headers."""
    app = web.Application(middlewares=[name_admin_request, render_errors])
    app[SERVING] = serving
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/health", health.health)
    return app


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics` in Prometheus' text format; open to loopback alone."""
    if not (request.remote or "").startswith(("127.", "::1")):
        raise CallError("key_required", "metrics are open to this machine only")
    body = request.app[SERVING].services.metrics.text()
    return web.Response(body=body, headers={**shared_headers(request), "Content-Type": _PROMETHEUS})
