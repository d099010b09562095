"""The single writer: every generated answer leaves through here."""

import asyncio
import logging
from contextlib import aclosing
from math import inf
from typing import Protocol, runtime_checkable

from aiohttp import hdrs, web
from multidict import istr

from gateway.dialects.errors import error_frame
from gateway.pipeline.account import settle
from gateway.pipeline.call import Call, Services
from gateway.pipeline.identify import Presented
from gateway.pipeline.run import run
from gateway.pipeline.watch import Watch
from gateway.schema.ask import Ask
from gateway.schema.events import Collected, StreamEvent
from gateway.schema.failure import CallError
from gateway.schema.reply import Answer, Events, Frames, Made, Reply, Stream, Whole
from gateway.web.feeds import Feeds
from gateway.web.serving import (
    REQUEST_ID,
    SERVING,
    call_headers,
    client_request_id,
    error_response,
    is_openai_path,
    shared_headers,
)
from gateway.web.snapshot import services_of
from gateway.web.stream import EventStream

_log = logging.getLogger("dynagate.web")
_STOPPING_S = 5
_X_DEADLINE_MS = istr("X-Deadline-Ms")
_DEADLINE_DIGITS = 15
_NO_STORE: dict[str, str] = {hdrs.CACHE_CONTROL: "private, no-store"}
_SSE: dict[str, str] = {
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    istr("X-Accel-Buffering"): "no",
    **_NO_STORE,
}


class StreamRendering(Protocol):
    """A dialect's frames for one generation's events."""

    def render(self, event: StreamEvent) -> bytes:
        """Return the frames that `event` adds, maybe none."""

    def end(self) -> bytes:
        """Return the last frames."""


class Rendering(Protocol):
    """How one request is answered in its caller's dialect; enough for bytes as they come."""

    @property
    def ask(self) -> Ask:
        """The request that is answered."""

    def headers(self) -> dict[str, str]:
        """Return headers of the dialect's own for a good answer."""


@runtime_checkable
class TextRendering(Rendering, Protocol):
    """How a generation is said. `created` is in Unix seconds."""

    def whole(self, collected: Collected, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return the media type and the body of a whole generation."""

    def stream(self, *, request_id: str, created: int) -> StreamRendering:
        """Return what renders a streamed generation."""


@runtime_checkable
class ThingRendering(Rendering, Protocol):
    """How a thing is handed over."""

    async def made(self, reply: Made, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return the media type and the body."""


@runtime_checkable
class PublicRendering(Rendering, Protocol):
    """How a generation that ended well is told to the feeds, if it `is_public`."""

    @property
    def is_public(self) -> bool:
        """Whether it may be told."""

    def publish(self, feeds: Feeds) -> None:
        """Put what may be public of it into its feed; never waits."""


async def answer(
    request: web.Request, rendering: Rendering, presented: Presented
) -> web.StreamResponse:
    """Run the call and write what comes of it. Cancelled when the caller leaves.

    Raises 503 `unavailable` while the gateway drains: another replica, or the next start, answers.
    """
    serving = request.app[SERVING]
    if serving.is_draining:
        raise CallError("unavailable", "the gateway is stopping", retry_after_s=_STOPPING_S)
    services = services_of(request)
    started = services.clock.monotonic()
    given_s = deadline_s(request.headers.get(_X_DEADLINE_MS))
    total_s = min(given_s, services.document.deadlines.total_s)
    with Watch(serving.watches, request.task, total_s) as watch:
        call = Call(
            request_id=request[REQUEST_ID],
            ask=rendering.ask,
            presented=presented,
            watch=watch,
            started=started,
            deadline=started + total_s,
            client_request_id=client_request_id(request),
            headers=request.headers,
            is_hurried=given_s < inf,
        )
        if rendering.ask.is_stream and isinstance(rendering, TextRendering):
            response = await _streamed(request, rendering, call, services)
        else:
            response = await _answered(request, rendering, call, services)
        _publish(rendering, call, serving.feeds)
        return response


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


def _publish(rendering: Rendering, call: Call, feeds: Feeds | None) -> None:
    """Tell the feeds of a call that ended well, once this turn of the loop has answered it."""
    if feeds is None or call.error is not None or call.is_aborted:
        return
    # What the caller's plan says of feeds and privacy stands in the ask by now.
    if not call.ask.is_feed_worthy or call.ask.is_private:
        return
    if isinstance(rendering, PublicRendering) and rendering.is_public:
        asyncio.get_running_loop().call_soon(rendering.publish, feeds)


async def _answered(
    request: web.Request, rendering: Rendering, call: Call, services: Services
) -> web.StreamResponse:
    """Answer with one body, or with bytes as they come."""
    response: web.StreamResponse | None = None
    try:
        async with run(call, services) as reply:
            if isinstance(reply, Stream):
                response = web.StreamResponse()
                headers = _headers(request, reply.media_type, rendering, call)
                response.headers.update(headers)
                await _pour(reply, response, request)
                await settle(call, services)
                await response.write_eof()
                return response
            media_type, body = await _body(reply, rendering, call, services)
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
    headers = shared_headers(request)  # This request's own: filled, not copied.
    headers[hdrs.CONTENT_TYPE] = media_type
    headers |= _NO_STORE
    headers |= call_headers(call, is_openai=is_openai_path(request.path))
    headers |= rendering.headers()
    return headers


async def _body(
    reply: Reply, rendering: Rendering, call: Call, services: Services
) -> tuple[str, bytes]:
    if isinstance(reply, Whole):
        return reply.media_type, reply.body
    created = int(services.clock.now().timestamp())
    if isinstance(reply, Made) and isinstance(rendering, ThingRendering):
        return await rendering.made(reply, request_id=call.request_id, created=created)
    if isinstance(reply, Answer) and isinstance(rendering, TextRendering):
        return rendering.whole(reply.collected, request_id=call.request_id, created=created)
    msg = f"a call was answered with {type(reply).__name__}"
    raise TypeError(msg)


async def _pour(reply: Stream, response: web.StreamResponse, request: web.Request) -> None:
    async with aclosing(reply.chunks) as chunks:
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)


async def _streamed(
    request: web.Request, rendering: TextRendering, call: Call, services: Services
) -> web.StreamResponse:
    def headers() -> dict[str, str]:
        of_call = call_headers(call, is_openai=is_openai_path(request.path))
        own = {name: text for name, text in rendering.headers().items() if name != "Cache-Control"}
        return {**_SSE, **shared_headers(request), **of_call, **own}

    stream = EventStream(request, headers)
    pinger = request.app[SERVING].pinger
    pinger.add(stream)
    try:
        async with run(call, services) as reply:
            await _write(reply, stream, rendering, call, services)
            await stream.end()
    except CallError as error:
        await settle(call, services)
        if not stream.is_open:
            return error_response(request, error, call)
        # What follows the first byte of a stream is an event, and no [DONE] comes after it.
        await stream.send(error_frame(error))
        await stream.end()
    except ConnectionError:
        _log.debug("%s: the caller left", call.request_id)
    finally:
        pinger.remove(stream)
    return stream.response


async def _write(
    reply: Reply, stream: EventStream, rendering: TextRendering, call: Call, services: Services
) -> None:
    match reply:
        case Frames():
            # Closed here and now, not by the garbage collector: its end is what notes the usage.
            async with aclosing(reply.frames) as pieces:
                async for frames in pieces:
                    await stream.send(frames)
        case Events():
            created = int(services.clock.now().timestamp())
            renderer = rendering.stream(request_id=call.request_id, created=created)
            async with aclosing(reply.events) as events:
                async for event in events:
                    frames = renderer.render(event)
                    if frames:
                        await stream.send(frames)
            await settle(call, services)
            await stream.send(renderer.end())
        case Whole() | Answer() | Made() | Stream():
            msg = "a call that was to stream did not"
            raise TypeError(msg)
