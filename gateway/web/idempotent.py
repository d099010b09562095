"""Calls that go on though their caller leaves: made into a recording, read from there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, cast

from aiohttp import web

from gateway.dialects.errors import error_frame
from gateway.pipeline.accounting.account import settle
from gateway.pipeline.call import Call, Services
from gateway.pipeline.identify import Presented
from gateway.pipeline.run import Run
from gateway.schema.failure import CallError
from gateway.schema.reply import Stream
from gateway.web.calling import call_of
from gateway.web.once import replayed
from gateway.web.received import RECEIVED, request_id_of, services_of, shared_headers
from gateway.web.recording import Recording
from gateway.web.rendering import Rendering, TextRendering
from gateway.web.serving import SERVING, Serving, error_response
from gateway.web.stream import EventStream
from gateway.web.writing import (
    SSE,
    body_headers,
    body_of,
    end_with,
    publish,
    stream_headers,
    write,
)

_log = logging.getLogger("dynagate.web")
_Find = Callable[[], Awaitable[tuple[Recording, bool]]]


async def answer_once(
    request: web.Request, rendering: Rendering, presented: Presented
) -> web.StreamResponse:
    """Answer a POST with an `Idempotency-Key` by the one call that is made for that key."""
    serving, services = request.app[SERVING], services_of(request)
    find = partial(
        serving.once.find,
        request,
        services.identifier.identify(presented),
        request_id_of(request),
        partial(_record, request, rendering, presented, services),
        wait_s=services.document.deadlines.total_s,
    )
    if rendering.ask.is_stream and isinstance(rendering, TextRendering):
        return await _stream(request, find, serving)
    return await _answer(request, find, serving)


async def _stream(request: web.Request, find: _Find, serving: Serving) -> web.StreamResponse:
    """Write a recording of frames, with pings, the first while it is found."""
    own: dict[str, str] = {}
    stream = EventStream(request, lambda: {**SSE, **shared_headers(request), **own})
    serving.pinger.add(stream)
    reader = own_recording = None
    try:
        recording, is_replayed = await find()
        reader = recording.reader()
        own_recording = None if is_replayed else recording
        own |= await _headers_of(recording, request, is_replayed=is_replayed)
        async for frames in reader:
            await stream.send(frames)
        await stream.end()
    except CallError as error:
        if not stream.is_open:
            return error_response(
                request, error, None if own_recording is None else own_recording.call
            )
        await end_with(error, stream)
    except ConnectionError:
        _log.debug("%s: the caller left", request_id_of(request))
    finally:
        serving.pinger.remove(stream)
        if reader is not None:
            reader.leave()
    return stream.response


async def _answer(request: web.Request, find: _Find, serving: Serving) -> web.StreamResponse:
    """Write a recording of one body, or of bytes as they come."""
    recording, is_replayed = await find()
    reader = recording.reader()
    response: web.StreamResponse | None = None
    try:
        own = await _headers_of(recording, request, is_replayed=is_replayed)
        headers = {**shared_headers(request), **own}
        if (await recording.head()).is_whole:
            return web.Response(body=await anext(reader), headers=headers)
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        async for piece in reader:
            await response.write(piece)
        await response.write_eof()
    except CallError as error:
        if response is None:
            return error_response(request, error, None if is_replayed else recording.call)
        # Cut without its final chunk: nobody may take a part for the whole.
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        if response is None:
            raise
        _log.debug("%s: the caller left", request_id_of(request))
    finally:
        reader.leave()
    return response


async def _headers_of(
    recording: Recording, request: web.Request, *, is_replayed: bool
) -> dict[str, str]:
    head = await recording.head()
    if not is_replayed:
        return head.headers
    services_of(request).metrics.replayed_answers += 1
    return replayed(head, recording.request_id) | request[RECEIVED].timing()


async def _record(
    request: web.Request,
    rendering: Rendering,
    presented: Presented,
    services: Services,
    recording: Recording,
) -> None:
    """Make the call, and record what its caller is answered; an error ends the recording."""
    with services.users.held():
        await _recorded(request, rendering, presented, services, recording)


async def _recorded(
    request: web.Request,
    rendering: Rendering,
    presented: Presented,
    services: Services,
    recording: Recording,
) -> None:
    task = cast("asyncio.Task[Any]", asyncio.current_task())  # There is one: it runs this.
    try:
        call = recording.call = call_of(request, rendering, presented, services, task)
    except CallError as error:
        recording.fail(error)
        return
    is_stream = rendering.ask.is_stream and isinstance(rendering, TextRendering)
    try:
        with call.watch:
            if rendering.ask.is_stream and isinstance(rendering, TextRendering):
                recording.headers = lambda: stream_headers(request, rendering, call)
                async with Run(call, services) as reply:
                    await write(reply, recording, rendering, call, services)
            else:
                await _record_body(request, rendering, call, services, recording)
    except CallError as error:
        await settle(call, services)
        if is_stream and recording.is_open:
            await recording.send(error_frame(error))
        else:
            recording.fail(error)
    publish(rendering, call, request.app[SERVING].feeds)


async def _record_body(
    request: web.Request, rendering: Rendering, call: Call, services: Services, recording: Recording
) -> None:
    async with Run(call, services) as reply:
        if isinstance(reply, Stream):
            media_type = reply.media_type
            recording.headers = lambda: body_headers({}, request, media_type, rendering, call)
            async with aclosing(reply.chunks) as chunks:
                async for chunk in chunks:
                    await recording.send(chunk)
            await settle(call, services)
            return
        media_type, body = await body_of(reply, rendering, call, services)
    await settle(call, services)
    recording.headers = lambda: body_headers({}, request, media_type, rendering, call)
    await recording.send(body, is_whole=True)
