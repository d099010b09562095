"""The fast path: document, not model; frames, not events.

The caller's document is sent with the target's model in it, and whole frames come back as bytes.
Only the first ones are parsed, to know that an answer has begun.
"""

from asyncio import CancelledError
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial

from gateway.pipeline.call import Call, Held, Services
from gateway.pipeline.route import Target
from gateway.schema.failure import CallError, Failure
from gateway.schema.json import JsonObject, Wire, read_object
from gateway.schema.reply import Frames, Whole
from gateway.schema.sse import DONE, FrameTooLargeError, Splitter, data_of, frames_of
from gateway.schema.wires import (
    Tap,
    error_message,
    fields_of,
    is_error,
    is_meaningful,
    looks_like_reply,
    retarget,
    usage_at_end,
    usage_of,
)
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError
from gateway.sdk.providers import Attempt, ForwardingProvider

MAX_HELD_BYTES = 64 * 1024
MAX_HELD_FRAMES = 32
REPLY_BYTES = 16 * 1024 * 1024
_PARSED_BYTES = 256 * 1024
_GRACE_S = 0.25
"""How long to wait for the end of a body after `[DONE]`, so that its connection can serve again."""


async def whole(call: Call, target: Target, attempt: Attempt, services: Services) -> Whole:
    """Return the upstream's reply as it came, once it is known to be one; free the target."""
    wire, document, provider = _prepare(call, target)
    async with provider.forward(wire, document, attempt) as answer:
        body = await answer.read(REPLY_BYTES)
    if len(body) <= _PARSED_BYTES:
        reply = read_object(body)
        if reply is None:
            raise UpstreamError(Failure.TRANSIENT, "the answer is not a JSON object")
        if is_error(reply):
            raise UpstreamError(Failure.TRANSIENT, error_message(reply))
        if not is_meaningful(reply):
            raise UpstreamError(Failure.TRANSIENT, "the answer is empty")
        call.usage = usage_of(reply)
        model = reply.get("model")
        call.model = model if isinstance(model, str) else None
    else:
        if not looks_like_reply(body):
            raise UpstreamError(Failure.TRANSIENT, "the answer is not one of a model")
        call.usage = usage_at_end(body, read_object)
    target.connected.gate.leave()
    return Whole(body)


async def stream(call: Call, target: Target, attempt: Attempt, services: Services) -> Frames:
    """Return the upstream's frames, once the first meaningful one is there."""
    wire, document, provider = _prepare(call, target)
    # Entered and left by hand: an AsyncExitStack keeps 1 KB a stream.
    forwarding = provider.forward(wire, document, attempt)
    answer = await forwarding.__aenter__()
    close = partial(forwarding.__aexit__, None, None, None)
    try:
        relay = _Relay(aiter(answer.chunks), call, services.document.deadlines.between_tokens_s)
        held = await relay.hold()
    except BaseException:
        await close()
        raise
    call.held = Held(close, target.connected.gate.leave)
    call.ask.document = {}  # No other target will need it, and the stream may last for minutes.
    return Frames(relay.frames(held))


def _prepare(call: Call, target: Target) -> tuple[Wire, JsonObject, ForwardingProvider]:
    wire, provider = call.ask.wire, target.forwarding
    if wire is None or provider is None:
        msg = "only a target that takes the caller's wire is forwarded to"
        raise RuntimeError(msg)
    document = retarget(call.ask.document, target.model)
    for knob in call.dropped_params:
        for name in fields_of(knob, document):
            document.pop(name, None)
    return wire, document, provider


class _Relay:
    """One upstream's stream on its way to the caller."""

    def __init__(self, pieces: AsyncIterator[bytes], call: Call, silence_s: float) -> None:
        self._pieces = pieces
        self._call = call
        self._silence_s = silence_s
        self._splitter = Splitter()
        self._tap = Tap(read_object, is_usage_wanted=call.ask.is_usage_wanted)

    async def hold(self) -> bytes:
        """Return the first frames, up to and with the first meaningful one.

        Raises `UpstreamError` for an error, garbage, or an end before anything was said.
        """
        held, count, is_over = bytearray(), 0, False
        while not (is_over or self._tap.is_done):
            block, is_over = await self._next()
            held += block
            for frame in frames_of(block):
                count += 1
                if self._is_first_of_answer(frame):
                    return bytes(held)
            if self._tap.error is not None:
                raise UpstreamError(Failure.TRANSIENT, error_message(self._tap.error))
            if count > MAX_HELD_FRAMES or len(held) > MAX_HELD_BYTES:
                return bytes(held)
        is_empty = self._tap.is_done or self._tap.is_finished
        reason = "the answer is empty" if is_empty else "the stream ended too early"
        raise UpstreamError(Failure.TRANSIENT, reason)

    async def frames(self, held: bytes) -> AsyncGenerator[bytes]:
        """Yield what is held, then all that comes; raise `CallError` when it breaks off."""
        watch, tap, silence_s = self._call.watch, self._tap, self._silence_s
        is_over = False
        try:
            yield held
            while not (is_over or tap.is_done or tap.error is not None):
                watch.arm(silence_s)
                block, is_over = await self._next()
                watch.rest()
                if block:
                    yield block
            if tap.error is not None:
                raise self._broken("an error")
            if tap.is_done:
                watch.arm(_GRACE_S)
                await anext(self._pieces, None)
            elif tap.is_finished:
                yield DONE
            else:
                raise self._broken("an end before its time")
        except (CancelledError, UpstreamError, HttpError) as error:
            self._explain(error)
        finally:
            watch.rest()
            self._call.usage = tap.usage

    async def _next(self) -> tuple[bytes, bool]:
        """Return the frames that the next piece completes, and whether it was the last."""
        try:
            block, is_over = self._splitter.feed(await self._pieces.__anext__()), False
        except StopAsyncIteration:
            block, is_over = self._splitter.rest(), True
        except FrameTooLargeError as error:
            raise UpstreamError(Failure.TRANSIENT, str(error)) from error
        return (self._tap.watch(block) if block else block), is_over

    def _is_first_of_answer(self, frame: bytes) -> bool:
        data = data_of(frame)
        if not data or data == b"[DONE]":
            return False
        chunk = read_object(data)
        if chunk is None:
            raise UpstreamError(Failure.TRANSIENT, "an event is not a JSON object")
        if self._call.model is None and isinstance(chunk.get("model"), str):
            self._call.model = chunk["model"]
        return is_meaningful(chunk)

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
