"""What is written of a reply, wherever it goes: to its caller, or into a recording for several."""

import asyncio
from contextlib import aclosing, suppress
from typing import Protocol

from aiohttp import hdrs, web
from multidict import istr

from gateway.dialects.errors import error_frame
from gateway.pipeline.accounting.account import settle
from gateway.pipeline.call import Call, Services
from gateway.schema.failure import CallError
from gateway.schema.reply import Answer, Events, Frames, Made, Reply, Stream, Whole
from gateway.web.feeds import Feeds
from gateway.web.rendering import PublicRendering, Rendering, TextRendering, ThingRendering
from gateway.web.serving import is_openai_path, note_call
from gateway.web.stream import EventStream

NO_STORE: dict[str, str] = {hdrs.CACHE_CONTROL: "private, no-store"}
SSE: dict[str, str] = {
    hdrs.CONTENT_TYPE: "text/event-stream; charset=utf-8",
    istr("X-Accel-Buffering"): "no",
    **NO_STORE,
}


def body_headers(
    headers: dict[str, str],
    request: web.Request,
    media_type: str,
    rendering: Rendering,
    call: Call,
) -> dict[str, str]:
    """Add the headers of an answer in one body, or of bytes as they come; return all."""
    headers[hdrs.CONTENT_TYPE] = media_type
    headers |= NO_STORE
    note_call(headers, call, is_openai=is_openai_path(request.path))
    headers |= rendering.headers()
    return headers


def stream_headers(request: web.Request, rendering: Rendering, call: Call) -> dict[str, str]:
    """Return the headers of an answer in events."""
    headers = {**SSE}
    note_call(headers, call, is_openai=is_openai_path(request.path))
    own = {name: text for name, text in rendering.headers().items() if name != "Cache-Control"}
    return headers | own


async def end_with(error: CallError, stream: EventStream) -> None:
    """End a stream that has begun: with an event, and no [DONE] after it."""
    with suppress(ConnectionError):  # Its caller may have left at the same moment.
        await stream.send(error_frame(error))
        await stream.end()


class Sink(Protocol):
    """Where frames go."""

    async def send(self, data: bytes) -> None:
        """Take the next frames; waits for who reads them."""


async def body_of(
    reply: Reply, rendering: Rendering, call: Call, services: Services
) -> tuple[str, bytes]:
    """Return the media type and the body of what comes whole."""
    if isinstance(reply, Whole):
        return reply.media_type, reply.body
    created = int(services.clock.now().timestamp())
    if isinstance(reply, Made) and isinstance(rendering, ThingRendering):
        return await rendering.made(reply, request_id=call.request_id, created=created)
    if isinstance(reply, Answer) and isinstance(rendering, TextRendering):
        return rendering.whole(reply.collected, request_id=call.request_id, created=created)
    msg = f"a call was answered with {type(reply).__name__}"
    raise TypeError(msg)


async def write(
    reply: Reply, stream: Sink, rendering: TextRendering, call: Call, services: Services
) -> None:
    """Write a streamed reply as frames, its end once the ledger has the call."""
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


def publish(rendering: Rendering, call: Call, feeds: Feeds | None) -> None:
    """Tell the feeds of a call that ended well, once this turn of the loop has answered it."""
    if feeds is None or call.error is not None or call.is_aborted or call.guards:
        return
    # What the caller's plan says of feeds and privacy stands in the ask by now.
    if not call.ask.is_feed_worthy or call.ask.is_private:
        return
    if isinstance(rendering, PublicRendering) and rendering.is_public:
        asyncio.get_running_loop().call_soon(rendering.publish, feeds)
