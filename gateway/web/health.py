"""Probes: no caller is identified, no model is asked."""

import orjson
from aiohttp import web

from gateway.web.serving import SERVING, json_response, shared_headers


async def health(request: web.Request) -> web.Response:
    """`GET /health`, `/health/liveness`, `/healthz`: the process answers."""
    return json_response(request, b'{"status":"ok"}')


async def readiness(request: web.Request) -> web.Response:
    """`GET /health/readiness`, `/readyz`: 503 while draining; says what still loads, or fails.

    A database that fails is no reason to call another gateway: this one goes on in memory.
    """
    serving = request.app[SERVING]
    status = "draining" if serving.is_draining else "ok"
    state = "failing" if serving.state.is_failing else "ok"
    body = orjson.dumps({"status": status, "providers": dict(serving.unready), "state": state})
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        **shared_headers(request),
    }
    return web.Response(status=503 if serving.is_draining else 200, body=body, headers=headers)
