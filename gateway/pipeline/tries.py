"""What is done with a provider: trying targets in turn, and asking one within its gate."""

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.pipeline.call import Call, Services, Tried
from gateway.pipeline.gate import GateFullError
from gateway.pipeline.outcome import call_error, is_final
from gateway.pipeline.route import Target
from gateway.schema.failure import CallError, Failure
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError

MAX_ATTEMPTS = 4
_log = logging.getLogger("dynagate.attempt")
_Answer = TypeVar("_Answer")


async def first_answer(
    call: Call,
    targets: Sequence[Target],
    services: Services,
    ask: Callable[[Target, int], Awaitable[_Answer]],
) -> _Answer:
    """Return what `ask` brings from the first target that answers; attempts count from 1.

    Raises the last attempt's error as the caller is to see it; a `CallError` of `ask` as it is.
    """
    error: CallError | None = None
    for number, target in enumerate(targets[:MAX_ATTEMPTS], start=1):
        try:
            return await ask(target, number)
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
            # Upstreams like to repeat what they were sent, and nobody's log is private.
            "a private call" if call.ask.is_private else services.redact(upstream.message)[:200],
        )
        error = call_error(upstream, target.connected.name, call.ask, services)
        if is_final(upstream.failure):
            break
    if error is None:
        message = "every place to wait for an answer is taken"
        error = CallError("unavailable", message, retry_after_s=1)
    raise error


async def at_target(
    call: Call,
    target: Target,
    work: Callable[[], Awaitable[_Answer]],
    *,
    limit_s: float,
    waiting_s: float,
) -> _Answer:
    """Return what `work` does with a place at the target's gate, which it, or its heir, leaves.

    A failure leaves it here. Waiting for the place may last `waiting_s`, the work `limit_s`; later
    is `UpstreamError`. Raises `GateFullError`.
    """
    gate, watch = target.connected.gate, call.watch
    watch.arm(waiting_s)
    arrived = watch.now()
    try:
        try:
            await gate.enter(call.priority)
        finally:
            call.queue_s = (call.queue_s or 0.0) + watch.now() - arrived
        call.attempts += 1
        try:
            watch.arm(limit_s)
            return await work()
        except BaseException:
            gate.leave()
            raise
    except CancelledError:
        if watch.has_expired():
            raise UpstreamError(Failure.TIMEOUT, "no answer in time") from None
        raise
    finally:
        watch.rest()
