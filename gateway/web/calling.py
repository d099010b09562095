"""What a request says of its call, besides what is asked."""

import asyncio
from math import inf
from typing import Any

from aiohttp import web
from multidict import istr

from gateway.pipeline.call import Call, Services
from gateway.pipeline.identify import Presented
from gateway.pipeline.watch import Watch
from gateway.schema.failure import CallError
from gateway.web.operator_secret import is_secret
from gateway.web.received import RECEIVED
from gateway.web.rendering import Rendering
from gateway.web.serving import SERVING

_X_DEADLINE_MS = istr("X-Deadline-Ms")
_X_EXPLAIN = istr("X-Explain")
_DEADLINE_DIGITS = 15


def call_of(
    request: web.Request,
    rendering: Rendering,
    presented: Presented,
    services: Services,
    task: asyncio.Task[Any],  # Any: whatever the task returns.
) -> Call:
    """Return the call that `task` makes; its watch is to be entered.

    Raises 400 `invalid_parameter` for a deadline that is none.
    """
    received = request[RECEIVED]
    started = services.clock.monotonic()
    given_s = deadline_s(request.headers.get(_X_DEADLINE_MS))
    total_s = min(given_s, services.document.deadlines.total_s)
    is_told = request.headers.get(_X_EXPLAIN) == "1" and _is_operator(presented, services)
    return Call(
        request_id=received.request_id,
        ask=rendering.ask,
        presented=presented,
        watch=Watch(request.app[SERVING].watches, task, total_s),
        started=started,
        deadline=started + total_s,
        client_request_id=received.client_request_id,
        headers=request.headers,
        is_hurried=given_s < inf,
        visits=[] if is_told else None,
    )


def _is_operator(presented: Presented, services: Services) -> bool:
    """Say whether one of the secrets that came with a call is the operator's.

    Without it nothing is different: who guesses is counted, and limited, as any caller.
    """
    secret = services.document.admin.secret.get_secret_value()
    return any(is_secret(given, secret) for given in presented.secrets)


def deadline_s(given: str | None) -> float:
    """Return the seconds that the caller gives the call, infinity if it does not say.

    Raises 400 `invalid_parameter` for what is no whole number of milliseconds, 1 or more.
    """
    if given is None:
        return inf
    if not (given.isascii() and given.isdigit() and len(given) <= _DEADLINE_DIGITS and int(given)):
        message = "X-Deadline-Ms must be whole milliseconds, 1 or more, for example 30000"
        raise CallError("invalid_parameter", message, param="X-Deadline-Ms")
    return int(given) / 1000
