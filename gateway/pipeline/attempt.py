"""Step 4: try targets until one answers.

A caller's document goes through as it is when a target takes its wire (`forward`); else the target
yields events. Either way nothing reaches the caller before the first meaningful piece, so until
then another target can still answer.
"""

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from gateway.pipeline import events, forward, media
from gateway.pipeline.call import Call, Services, Tried
from gateway.pipeline.gate import GateFullError
from gateway.pipeline.outcome import call_error, is_final
from gateway.pipeline.route import Target, dropped_knobs
from gateway.schema.failure import CallError, Failure
from gateway.schema.reply import Reply
from gateway.schema.wires import fields_of
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError
from gateway.sdk.providers import Attempt

MAX_ATTEMPTS = 4
_BY_ANSWER = MappingProxyType({"text": "events", "thing": "media", "bytes": "media"})
_PATHS: Mapping[tuple[str, bool], Callable[[Call, Target, Attempt, Services], Awaitable[Reply]]] = (
    MappingProxyType(
        {
            ("forward", True): forward.stream,
            ("forward", False): forward.whole,
            ("events", True): events.stream,
            ("events", False): events.whole,
            ("media", True): media.stream,
            ("media", False): media.whole,
        }
    )
)
_log = logging.getLogger("dynagate.attempt")


async def attempt(call: Call, targets: Sequence[Target], services: Services) -> Reply:
    """Return the first answer; raise the last attempt's error as the caller is to see it."""
    error: CallError | None = None
    for number, target in enumerate(targets[:MAX_ATTEMPTS], start=1):
        call.target = target
        call.dropped_params = dropped_knobs(target, call.ask)
        if call.dropped_params:
            document = call.ask.document
            said = (fields_of(knob, document) for knob in call.dropped_params)
            call.dropped_fields = tuple(chain.from_iterable(said))
        try:
            return await _try(call, target, number, services)
        except GateFullError:
            call.tried.append(Tried(target, Failure.RATE_LIMIT))
            continue
        except UpstreamError as failed:
            upstream = failed
        except HttpError as failed:
            late = Failure.TIMEOUT if failed.is_timeout else Failure.TRANSIENT
            upstream = UpstreamError(late, str(failed))
        except CallError:
            raise
        except Exception:  # noqa: BLE001 - a provider's bug is that attempt's failure, not ours.
            _log.exception(
                "provider %s raised something other than UpstreamError", target.connected.name
            )
            upstream = UpstreamError(Failure.UNKNOWN, "the provider failed")
        call.tried.append(Tried(target, upstream.failure))
        _log.info(
            "attempt %d of %s at %s failed: %s: %s",
            number,
            call.request_id,
            target.name,
            upstream.failure,
            services.redact(upstream.message)[:200],
        )
        error = call_error(upstream, target.connected.name, call.ask, services)
        if is_final(upstream.failure):
            break
    if error is None:
        message = "every place to wait for an answer is taken"
        error = CallError("unavailable", message, retry_after_s=1)
    raise error


async def _try(call: Call, target: Target, number: int, services: Services) -> Reply:
    deadlines = services.document.deadlines
    ask, watch = call.ask, call.watch
    gate = target.connected.gate
    try_it = Attempt(call.request_id, number, call.deadline, ask.is_stream)
    watch.arm(deadlines.total_s)
    try:
        await gate.enter()
        is_forwarded = ask.wire in target.wires and target.forwarding is not None
        call.path = "forward" if is_forwarded else _BY_ANSWER[ask.answer]
        is_stream = ask.is_stream or ask.answer == "bytes"
        answer = _PATHS[call.path, is_stream]
        try:
            watch.arm(deadlines.first_token_s if is_stream else deadlines.total_s)
            return await answer(call, target, try_it, services)
        except BaseException:
            gate.leave()
            raise
    except CancelledError:
        if watch.has_expired():
            raise UpstreamError(Failure.TIMEOUT, "no answer in time") from None
        raise
    finally:
        watch.rest()
