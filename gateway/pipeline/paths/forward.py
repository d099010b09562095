"""The fast path: document, not model; frames, not events.

The caller's document is sent with the target's model in it, and whole frames come back as bytes.
Only the first ones are parsed, to know that an answer has begun.
"""

from asyncio import CancelledError
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial

from gateway.pipeline.accounting.account import settle
from gateway.pipeline.attempts.visit import Visit
from gateway.pipeline.call import Call, Held, Services
from gateway.pipeline.limits.lengths import output_ceiling
from gateway.pipeline.paths.links import data_url
from gateway.pipeline.paths.watched import Watched
from gateway.pipeline.routing.target import Target
from gateway.schema.estimate import input_tokens
from gateway.schema.failure import CallError, Failure
from gateway.schema.json import JsonObject, Wire, read_object
from gateway.schema.meter import FrameMeter, written_in
from gateway.schema.reply import Frames, Stream, Whole
from gateway.schema.sse import DONE, FrameTooLargeError, Splitter, data_of, frames_of
from gateway.schema.wires import (
    TAIL_BYTES,
    Tap,
    begins_like_reply,
    ends_like_reply,
    error_message,
    fields_of,
    inline,
    is_answer,
    is_error,
    is_meaningful,
    retarget,
    usage_at_end,
    usage_of,
)
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError
from gateway.sdk.providers import Attempt, ForwardingProvider

MAX_HELD_BYTES = 64 * 1024
MAX_HELD_FRAMES = 32
_PARSED_BYTES = 256 * 1024
_LARGEST_BYTES = 64 * 1024 * 1024
"""Of a reply that passes through: two thousand vectors of 3,072 numbers as text."""
_GRACE_S = 0.25
"""How long to wait for the end of a body after `[DONE]`, so that its connection can serve again."""


async def whole(
    call: Call, target: Target, attempt: Attempt, services: Services, visit: Visit
) -> Whole | Stream:
    """Return the upstream's reply as it came, once it is known to be one.

    A small one is looked at whole, and the target is free again; a large one is neither parsed nor
    held, and passes through once it has begun as a reply does.
    """
    wire, document, provider = _prepare(call, target)
    forwarding = provider.forward(wire, document, attempt)
    answer = await forwarding.__aenter__()
    close = partial(forwarding.__aexit__, None, None, None)
    pieces = aiter(answer.chunks)
    try:
        head, is_over = await _head(pieces)
        (_look_at if is_over else _look_at_begin)(wire, head, call)
    except BaseException:
        await close()
        raise
    if is_over:
        await close()
        return Whole(head)
    call.held = Held(close, visit)
    _drop_request(call)
    silence_s = services.document.deadlines.between_tokens_s
    return Stream("application/json", _rest(head, pieces, call, silence_s))


async def _head(pieces: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """Return the body, or as much of it as is parsed at most, and whether that is all."""
    head = bytearray()
    async for piece in pieces:
        head += piece
        if len(head) > _PARSED_BYTES:
            return bytes(head), False
    return bytes(head), True


def _look_at(wire: Wire, body: bytes, call: Call) -> None:
    reply = read_object(body)
    if reply is None:
        raise UpstreamError(Failure.TRANSIENT, "the answer is not a JSON object")
    if is_error(reply):
        raise UpstreamError(Failure.TRANSIENT, error_message(reply))
    if not is_answer(wire, reply, call.ask.document):
        raise UpstreamError(Failure.TRANSIENT, "the answer is empty, or not what was asked for")
    call.usage = usage_of(reply)
    if call.usage is None:
        call.written = written_in(reply)
    model = reply.get("model")
    call.model = model if isinstance(model, str) else None


def _look_at_begin(wire: Wire, head: bytes, call: Call) -> None:
    if not begins_like_reply(wire, head):
        raise UpstreamError(Failure.TRANSIENT, "the answer is not one of a model")


async def _rest(
    head: bytes, pieces: AsyncIterator[bytes], call: Call, silence_s: float
) -> AsyncGenerator[bytes]:
    """Yield a large reply; raise `CallError` when it breaks off."""
    tail, size = head[-TAIL_BYTES:], len(head)
    call.written.add(0)
    name = call.target.connected.name if call.target else "the provider"
    try:
        yield head
        del head
        async for piece in Watched(pieces, call.watch, silence_s, name=name):
            tail = (tail + piece)[-TAIL_BYTES:]
            size += len(piece)
            if size > _LARGEST_BYTES:
                raise CallError("upstream_failed", f"{name} does not stop answering")
            yield piece
    finally:
        call.usage = usage_at_end(tail, read_object)
        call.written.characters = size
    if not ends_like_reply(tail):
        message = f"{name} broke off its answer"
        raise CallError("upstream_failed", message, failure=Failure.TRANSIENT)


async def stream(
    call: Call, target: Target, attempt: Attempt, services: Services, visit: Visit
) -> Frames:
    """Return the upstream's frames, once the first meaningful one is there."""
    wire, document, provider = _prepare(call, target)
    # Entered and left by hand: an AsyncExitStack keeps 1 KB a stream.
    forwarding = provider.forward(wire, document, attempt)
    answer = await forwarding.__aenter__()
    close = partial(forwarding.__aexit__, None, None, None)
    try:
        relay = _Relay(aiter(answer.chunks), call, services)
        held = await relay.hold()
    except BaseException:
        await close()
        raise
    call.held = Held(close, visit)
    _drop_request(call)
    return Frames(relay.frames(held))


def _drop_request(call: Call) -> None:
    """Let go of the document: no other target will need it, and the answer may last for minutes."""
    call.input_tokens = input_tokens(call.ask)
    call.output_ceiling = output_ceiling(call.ask)[1]
    call.ask.document = {}


def _prepare(call: Call, target: Target) -> tuple[Wire, JsonObject, ForwardingProvider]:
    wire, provider = call.ask.wire, target.forwarding
    if wire is None or provider is None:
        msg = "only a target that takes the caller's wire is forwarded to"
        raise RuntimeError(msg)
    document = retarget(call.ask.document, target.model)
    if call.fetched and not target.card.fetches_links:
        urls = {url: data_url(picture) for url, picture in call.fetched.items()}
        document = inline(document, urls)
    for knob in call.dropped_params:
        for name in fields_of(knob, document):
            document.pop(name, None)
    return wire, document, provider


class _Relay:
    """One upstream's stream on its way to the caller."""

    def __init__(self, pieces: AsyncIterator[bytes], call: Call, services: Services) -> None:
        self._pieces = pieces
        self._call = call
        self._services = services
        self._silence_s = services.document.deadlines.between_tokens_s
        self._splitter = Splitter()
        self._tap = Tap(read_object, is_usage_wanted=call.ask.is_usage_wanted)
        self._meter = FrameMeter()

    async def hold(self) -> bytes:
        """Return the first frames, up to and with the first meaningful one.

        Raises `UpstreamError` for an error, garbage, or an end before anything was said.
        """
        held, count, is_over = bytearray(), 0, False
        while not (is_over or self._tap.is_done):
            block, is_over = await self._next()
            held += block
            frames = frames_of(block)
            for frame in frames:
                count += 1
                if self._is_first_of_answer(frame):
                    self._meter.learn(next(frames, b""))
                    self._settle()
                    return bytes(held)
            if self._tap.error is not None:
                raise UpstreamError(Failure.TRANSIENT, error_message(self._tap.error))
            if count > MAX_HELD_FRAMES or len(held) > MAX_HELD_BYTES:
                return bytes(held)
        is_empty = self._tap.is_done or self._tap.is_finished
        reason = "the answer is empty" if is_empty else "the stream ended too early"
        raise UpstreamError(Failure.TRANSIENT, reason)

    async def frames(self, held: bytes) -> AsyncGenerator[bytes]:
        """Yield what is held, then all that comes; raise `CallError` when it breaks off.

        `[DONE]` comes once the ledger has the call, and nothing before it waits for that.
        """
        watch, tap, silence_s = self._call.watch, self._tap, self._silence_s
        block, is_over = held, False
        try:
            while not (is_over or tap.is_done or tap.error is not None):
                if block:
                    yield block
                watch.arm(silence_s)
                block, is_over = await self._next()
                watch.rest()
            end = DONE if tap.is_done or tap.is_finished else b""
            if tap.is_done and not block.endswith(DONE):
                block, end = b"", block  # Written in some way of its own.
            if before := block.removesuffix(DONE):
                yield before
            if tap.error is not None:
                raise self._broken("an error")
            if not end:
                raise self._broken("an end before its time")
            self._settle()
            await settle(self._call, self._services)
            yield end
            if tap.is_done:
                watch.arm(_GRACE_S)
                await anext(self._pieces, None)
        except (CancelledError, UpstreamError, HttpError) as error:
            self._explain(error)
        finally:
            watch.rest()
            self._settle()

    async def _next(self) -> tuple[bytes, bool]:
        """Return the frames that the next piece completes, and whether it was the last."""
        try:
            block, is_over = self._splitter.feed(await self._pieces.__anext__()), False
        except StopAsyncIteration:
            block, is_over = self._splitter.rest(), True
        except FrameTooLargeError as error:
            raise UpstreamError(Failure.TRANSIENT, str(error)) from error
        if block:
            was_finished = self._tap.is_finished
            block = self._tap.watch(block)
            self._meter.watch(block)
            if self._tap.is_finished and not was_finished:
                self._meter.finish(block)
        return block, is_over

    def _is_first_of_answer(self, frame: bytes) -> bool:
        data = data_of(frame)
        if not data or data == b"[DONE]":
            self._meter.skip(frame)
            return False
        chunk = read_object(data)
        if chunk is None:
            raise UpstreamError(Failure.TRANSIENT, "an event is not a JSON object")
        if self._call.model is None and isinstance(chunk.get("model"), str):
            self._call.model = chunk["model"]
        if not is_meaningful(chunk):
            self._meter.skip(frame)
            return False
        self._meter.begin(frame, chunk)
        return True

    def _settle(self) -> None:
        """Note in the call what has been used so far; once it is recorded, that is settled."""
        if self._call.kept is not None:
            return
        tap = self._tap
        self._call.usage = tap.usage
        self._call.written = self._meter.written(is_done=tap.is_done)

    def _explain(self, error: CancelledError | UpstreamError | HttpError) -> None:
        """Raise what the caller is told of an answer that broke off; after `[DONE]` it did not."""
        if isinstance(error, CancelledError) and not self._call.watch.has_expired():
            raise error
        if self._tap.is_done:
            return
        if not isinstance(error, CancelledError):
            raise self._broken("an error") from error
        message = f"{self._provider} fell silent"
        raise CallError("deadline_exceeded", message, failure=Failure.TIMEOUT) from None

    def _broken(self, what: str) -> CallError:
        message = f"{self._provider} broke off its answer: {what}"
        return CallError("upstream_failed", message, failure=Failure.TRANSIENT)

    @property
    def _provider(self) -> str:
        target = self._call.target
        return target.connected.name if target else "the provider"
