"""The single writer: every generated answer leaves through here."""

import logging
from contextlib import aclosing

from aiohttp import web

from gateway.pipeline.accounting.account import settle
from gateway.pipeline.call import Call, Services
from gateway.pipeline.identify import Presented
from gateway.pipeline.run import Run
from gateway.schema.failure import CallError
from gateway.schema.reply import Stream
from gateway.web.calling import call_of
from gateway.web.idempotent import answer_once
from gateway.web.received import services_of, shared_headers
from gateway.web.rendering import Rendering, TextRendering
from gateway.web.sameness import IDEMPOTENCY_KEY
from gateway.web.serving import SERVING, error_response
from gateway.web.stream import EventStream
from gateway.web.writing import (
    body_headers,
    body_of,
    end_with,
    publish,
    stream_headers,
    write,
)

_log = logging.getLogger("dynagate.web")
_STOPPING_S = 5


async def answer(
    request: web.Request, rendering: Rendering, presented: Presented
) -> web.StreamResponse:
    """Run the call and write what comes of it. Cancelled when the caller leaves.

    Raises 503 `unavailable` while the gateway drains: another replica, or the next start, answers.
    """
    serving = request.app[SERVING]
    if serving.is_draining:
        raise CallError("unavailable", "the gateway is stopping", retry_after_s=_STOPPING_S)
    if IDEMPOTENCY_KEY in request.headers and request.method == "POST":
        return await answer_once(request, rendering, presented)
    services = services_of(request)
    call = call_of(request, rendering, presented, services, request.task)
    with call.watch:
        if rendering.ask.is_stream and isinstance(rendering, TextRendering):
            response = await _streamed(request, rendering, call, services)
        else:
            response = await _answered(request, rendering, call, services)
        publish(rendering, call, serving.feeds)
        return response


async def _answered(
    request: web.Request, rendering: Rendering, call: Call, services: Services
) -> web.StreamResponse:
    """Answer with one body, or with bytes as they come."""
    response: web.StreamResponse | None = None
    try:
        async with Run(call, services) as reply:
            if isinstance(reply, Stream):
                response = web.StreamResponse()
                headers = _headers(request, reply.media_type, rendering, call)
                response.headers.update(headers)
                await _pour(reply, response, request)
                await settle(call, services)
                await response.write_eof()
                return response
            media_type, body = await body_of(reply, rendering, call, services)
    except CallError as error:
        await settle(call, services)
        if response is None or not response.prepared:
            return error_response(request, error, call)
        # Cut without its final chunk: nobody may take a part for the whole.
        if request.transport is not None:
            request.transport.abort()
        return response
    except ConnectionError:
        if response is None:
            raise
        _log.debug("%s: the caller left", call.request_id)
        return response
    await settle(call, services)
    return web.Response(body=body, headers=_headers(request, media_type, rendering, call))


def _headers(
    request: web.Request, media_type: str, rendering: Rendering, call: Call
) -> dict[str, str]:
    # This request's own: filled, not copied.
    return body_headers(shared_headers(request), request, media_type, rendering, call)


async def _pour(reply: Stream, response: web.StreamResponse, request: web.Request) -> None:
    async with aclosing(reply.chunks) as chunks:
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)


async def _streamed(
    request: web.Request, rendering: TextRendering, call: Call, services: Services
) -> web.StreamResponse:
    def headers() -> dict[str, str]:
        return {**shared_headers(request), **stream_headers(request, rendering, call)}

    stream = EventStream(request, headers)
    pinger = request.app[SERVING].pinger
    pinger.add(stream)
    try:
        async with Run(call, services) as reply:
            await write(reply, stream, rendering, call, services)
            await stream.end()
    except CallError as error:
        await settle(call, services)
        if not stream.is_open:
            return error_response(request, error, call)
        await end_with(error, stream)
    except ConnectionError:
        _log.debug("%s: the caller left", call.request_id)
    finally:
        pinger.remove(stream)
    return stream.response
