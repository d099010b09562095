"""Keeping an answer for later calls, once it is known to be whole and good."""

import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import NamedTuple

from gateway.pipeline.caching.kept import Kept, Kind, events_of, packed, written, written_images
from gateway.pipeline.call import Call
from gateway.schema.events import Finish, StreamEvent, size_of
from gateway.schema.images import ImageAnswer
from gateway.schema.reply import Answer, Events, Frames, Made, Reply, Stream, Whole
from gateway.schema.sse import DONE
from gateway.sdk.providers import Clock
from gateway.state.cache import Cache

_REASON = re.compile(rb'"finish_reason"\s*:\s*"([^"\\]*)"')
"""Within a text the quotes would be escaped."""
_EVENT_BYTES, _LOGPROB_BYTES = 64, 256
"""What an event takes, and an entry of its log probabilities, besides what it says."""
_GOOD = frozenset({"stop", "tool_calls", "function_call"})


class Keeping(NamedTuple):
    """Where the answer to one call is kept, under `name`, for how long, and how large at most."""

    cache: Cache
    clock: Clock
    name: str
    keep_s: float
    most_bytes: int


def kept(reply: Reply, call: Call, keeping: Keeping) -> Reply:
    """Return `reply`, which is kept once it has ended well.

    What was cut off or filtered is not, nor what guards found something in, nor what is too large;
    bytes of a media type never are.
    """
    match reply:
        case Whole():
            reasons = _REASON.findall(reply.body)
            _keep("whole", reply.body, map(bytes.decode, reasons), call, keeping)
        case Answer():
            _keep_events(events_of(reply.collected), call, keeping)
        case Made(thing=ImageAnswer() as answer):
            # Pictures, as they were finished for such a request: no address of one.
            _keep("images", written_images(answer), ("stop",), call, keeping)
        case Frames():
            return Frames(_frames(reply.frames, call, keeping))
        case Events():
            return Events(_events(reply.events, call, keeping))
        case Made() | Stream():
            pass
    return reply


async def _frames(
    frames: AsyncGenerator[bytes], call: Call, keeping: Keeping
) -> AsyncGenerator[bytes]:
    pieces: list[bytes] = []
    size = 0
    async with aclosing(frames):
        async for piece in frames:
            size += len(piece)
            if size > keeping.most_bytes:
                pieces.clear()
            else:
                pieces.append(piece)
                # Before it is sent: who has the end may leave at once.
                if piece.endswith(DONE):
                    body = b"".join(pieces)
                    reasons = map(bytes.decode, _REASON.findall(body))
                    _keep("frames", body, reasons, call, keeping)
            yield piece


async def _events(
    events: AsyncGenerator[StreamEvent], call: Call, keeping: Keeping
) -> AsyncGenerator[StreamEvent]:
    said: list[StreamEvent] = []
    size = 0
    async with aclosing(events):
        async for event in events:
            size += size_of(event) + _EVENT_BYTES
            size += len(getattr(event, "logprobs", ())) * _LOGPROB_BYTES
            if size > keeping.most_bytes:
                said.clear()
            else:
                said.append(event)
            yield event
    if size <= keeping.most_bytes:
        _keep_events(said, call, keeping)


def _keep_events(events: list[StreamEvent], call: Call, keeping: Keeping) -> None:
    reasons = [event.reason for event in events if isinstance(event, Finish)]
    _keep("events", written(events), reasons, call, keeping)


def _keep(kind: Kind, body: bytes, reasons: Iterable[str], call: Call, keeping: Keeping) -> None:
    found = set(reasons)
    good = _GOOD
    if "max_output_tokens" in call.ask.knobs and not call.set_params:
        good |= {"length"}  # It is as long as its caller wanted it, and not as we did.
    target = call.target
    if len(body) > keeping.most_bytes or not found or not found <= good or target is None:
        return
    if call.guards:  # A copy would no more be known as one in which they found something.
        return
    answer = Kept(
        kind,
        body,
        at=keeping.clock.now().timestamp(),
        keep_s=keeping.keep_s,
        provider=target.connected.name,
        model=target.name,
        dropped=call.dropped_fields,
        has_usage=kind == "frames" and call.ask.is_usage_wanted,
        usage=call.usage,
    )
    keeping.cache.put(keeping.name, packed(answer), keeping.keep_s)
