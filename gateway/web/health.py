"""Probes: no caller is identified, no model is asked."""

from typing import Literal

import orjson
from aiohttp import web

from gateway.schema.json import JsonObject
from gateway.web.received import shared_headers
from gateway.web.serving import SERVING, Serving, json_response


async def health(request: web.Request) -> web.Response:
    """`GET /health`, `/health/liveness`, `/healthz`: the process answers."""
    return json_response(request, b'{"status":"ok"}')


async def readiness(request: web.Request) -> web.Response:
    """`GET /health/readiness`, `/readyz`: says what still loads, or fails.

    503 while draining, and while no call can be recorded, since then none is made. A database that
    fails otherwise is no reason to call another gateway: this one goes on in memory. Nor is a
    state server that is down: all replicas would leave the load balancer at once.
    """
    serving = request.app[SERVING]
    ledger = serving.state.ledger.standing
    down = serving.shared.condition.reason
    status = status_of(serving)
    document = {
        "status": status,
        "providers": dict(serving.unready),
        "configuration": configuration_of(serving),
        "state": "failing" if serving.state.is_failing else "ok",
        "shared": "ok" if down is None else f"down: {down}",
        "ledger": {
            "is_open": ledger.is_open,
            "spooled_rows": ledger.spooled_rows,
            "problem": ledger.problem or None,
        },
    }
    body = orjson.dumps(document)
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        **shared_headers(request),
    }
    return web.Response(status=200 if status == "ok" else 503, body=body, headers=headers)


def configuration_of(serving: Serving) -> JsonObject:
    """Return which configuration is in force, and whether a newer one could not be."""
    standing = serving.standing
    return {"generation": standing.generation, "reload_failed": standing.failed is not None}


def status_of(serving: Serving) -> Literal["ok", "draining", "unavailable"]:
    """Return whether this process takes calls, and if not, why."""
    if serving.is_draining:
        return "draining"
    return "ok" if serving.state.ledger.standing.is_open else "unavailable"
