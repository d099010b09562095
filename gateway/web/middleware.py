"""The two middlewares: a request id for every answer, and an error body for every error."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from gateway.pipeline.watch import precise_now
from gateway.schema.failure import CallError
from gateway.web.access import VARY, Access
from gateway.web.received import RECEIVED, SERVER_TIMING, Received, request_id_of
from gateway.web.serving import (
    PLAIN,
    SERVING,
    X_CLIENT_REQUEST_ID,
    X_REQUEST_ID,
    client_request_id,
    error_response,
    new_request_id,
)
from gateway.web.snapshot import Snapshot

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_log = logging.getLogger("dynagate.web")
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


@web.middleware
async def name_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id and the answer the headers that all have; answer preflights."""
    snapshot = request.app[SERVING].snapshot
    received = _receive(request, snapshot, snapshot.access)
    try:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None:
            received.headers |= snapshot.access.cors_headers(origin)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            asked = request.headers.get("Access-Control-Request-Headers")
            own = snapshot.access.preflight_headers(origin, asked)
            return web.Response(status=204, headers={**received.headers, **own})
        return _timed(await handler(request), received)
    finally:
        received.let_go()


@web.middleware
async def name_admin_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id, too; no page of any origin reads what the operator's paths say."""
    snapshot = request.app[SERVING].snapshot
    received = _receive(request, snapshot, snapshot.admin_access)
    try:
        return _timed(await handler(request), received)
    finally:
        received.let_go()


@web.middleware
async def render_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Check where the request comes from, and turn whatever is raised into this API's errors."""
    try:
        request[RECEIVED].access.check(request.headers)
        return await handler(request)
    except CallError as error:
        return error_response(request, error)
    except web.HTTPException as error:
        return error_response(request, _as_call_error(request, error))
    except ConnectionError:
        raise
    except Exception:  # noqa: BLE001 - the last resort: nothing of it may reach the caller.
        _log.exception("%s: a bug in a handler", request_id_of(request))
        return error_response(
            request, CallError("internal_error", "something went wrong here; it has been logged")
        )


def _receive(request: web.Request, snapshot: Snapshot, access: Access) -> Received:
    request_id = new_request_id()
    headers: dict[str, str] = {X_REQUEST_ID: request_id, hdrs.VARY: VARY, **PLAIN}
    said = client_request_id(request)
    if said is not None:
        headers[X_CLIENT_REQUEST_ID] = said
    received = request[RECEIVED] = Received(
        request_id, said, headers, access, snapshot, precise_now()
    )
    snapshot.services.users.enter()
    return received


def _timed(response: web.StreamResponse, received: Received) -> web.StreamResponse:
    """Return the answer with its time; a call's own tells more."""
    if SERVER_TIMING not in response.headers and not response.prepared:
        response.headers.update(received.timing())
    return response


def _as_call_error(request: web.Request, error: web.HTTPException) -> CallError:
    code = _CODES.get(error.status, "bad_request")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        message = f"{error.method[:16]} is not for this path; {allowed} is"
        return CallError(code, message, headers={"Allow": allowed})
    if code == "not_found":
        return CallError(code, "there is nothing at this path; GET / says what there is")
    return CallError(code, "the request cannot be understood")
