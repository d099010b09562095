"""The paths of the live feeds: server-sent events for as long as their reader keeps up."""

import asyncio
from contextlib import suppress

from aiohttp import hdrs, web
from aiohttp_sse import EventSourceResponse

from gateway.dialects.dynaspark import ignored
from gateway.dialects.fields import Integer
from gateway.dialects.query import parse_query
from gateway.schema.failure import CallError
from gateway.web.access import check_prefetch
from gateway.web.feeds import FeedName, Feeds
from gateway.web.handlers import presented_by
from gateway.web.received import RECEIVED, services_of, shared_headers
from gateway.web.serving import SERVING

_PAST_RESULTS = "past_results"
_UNDERSTOOD = frozenset({_PAST_RESULTS, "api_key"})
_RETRY = b"retry: 3000\n\n"
_FAREWELL_S = 2.0
"""How long what is unsent, and why no more comes, may take to leave before the connection is cut.

A reader that is only slow reads it; one that has stopped must not hold a drain up.
"""
_NO_PING_S = 365 * 86400.0
"""The response's own timer would be one for each reader: `Feeds` has one for all."""


async def text_feed(request: web.Request) -> web.StreamResponse:
    """`GET /api/text/feed`."""
    return await _feed(request, "text")


async def image_feed(request: web.Request) -> web.StreamResponse:
    """`GET /api/image/feed`."""
    return await _feed(request, "image")


async def end_feeds(app: web.Application) -> None:
    """End the feeds as soon as draining begins: they would go on for ever."""
    feeds = app[SERVING].feeds
    if feeds is not None:
        feeds.close()


async def _feed(request: web.Request, name: FeedName) -> web.StreamResponse:
    check_prefetch(request.headers)
    serving = request.app[SERVING]
    feeds = serving.feeds
    if feeds is None:
        raise CallError("not_found", "the feeds are off here; feeds.enabled turns them on")
    given = parse_query(request.rel_url.raw_query_string)
    # Where keys are demanded reading needs one, too.
    caller = services_of(request).identifier.identify(presented_by(request, given.get("api_key")))
    request[RECEIVED].let_go()
    most = feeds.configured.history.events
    last = Integer(0, most).from_text(_PAST_RESULTS, given.get(_PAST_RESULTS, "0"))
    headers = {**shared_headers(request), hdrs.CACHE_CONTROL: "no-store"}
    if unread := ignored(given, _UNDERSTOOD):
        headers["X-Ignored-Params"] = ", ".join(unread)
    with feeds.place(caller.address):
        if request.method == "HEAD":
            kind = {hdrs.CONTENT_TYPE: "text/event-stream", "X-Accel-Buffering": "no"}
            return web.Response(headers={**kind, **headers})
        response = EventSourceResponse(
            send_timeout=serving.bounds.write_s, ping_interval=_NO_PING_S
        )
        # aiohttp knows what to say of the connection, also while draining; the response does not.
        del response.headers[hdrs.CONNECTION]
        response.headers.update(headers)
        await response.prepare(request)
        async with response:
            reason = await _pour(feeds, name, response, last)
            feeds.dropped(name, reason)
            await _part(request, response, reason)
    return response


async def _pour(feeds: Feeds, name: FeedName, response: EventSourceResponse, last: int) -> str:
    """Write events until the subscription ends, whatever is being waited for; return why."""
    reasons: list[str] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(None) as until:

            def end(reason: str) -> None:
                reasons.append(reason)
                until.reschedule(asyncio.get_running_loop().time())

            async with feeds.of(name).subscribe(
                end, after=response.last_event_id, last=last
            ) as events:
                with feeds.pinged(events):
                    await response.write(_RETRY)
                    while True:
                        await response.write(await events.next())
    return reasons[0]


async def _part(request: web.Request, response: EventSourceResponse, reason: str) -> None:
    """Say why no more comes, end the response, and cut the connection that does not take it."""
    response.force_close()
    try:
        async with asyncio.timeout(_FAREWELL_S):
            await response.write(f": ended, {reason}\n\n".encode())
            await response.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
