"""What is done with a provider: trying targets in turn, and asking one within its gate."""

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.pipeline.call import Call, Services, Tried
from gateway.pipeline.gate import GateFullError
from gateway.pipeline.outcome import call_error, is_final
from gateway.pipeline.route import Target
from gateway.pipeline.visit import Visit
from gateway.schema.failure import CallError, Failure
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError

MAX_ATTEMPTS = 4
_log = logging.getLogger("dynagate.attempt")
_Answer = TypeVar("_Answer")


class RestingError(Exception):
    """The target was opened while the call waited at its gate."""


async def first_answer(
    call: Call,
    targets: Sequence[Target],
    services: Services,
    ask: Callable[[Target, int], Awaitable[_Answer]],
) -> _Answer:
    """Return what `ask` brings from the first target that answers; attempts count from 1.

    Targets that rest are passed over. Raises the last attempt's error as the caller is to see it; a
    `CallError` of `ask` as it is; 503 `unavailable`, at once, if all rest.
    """
    error: CallError | None = None
    number = 0
    is_full = False
    for target in targets:
        if not target.health.admits():
            continue
        if number == MAX_ATTEMPTS:
            break
        number += 1
        try:
            return await _asked(ask, target, number)
        except GateFullError:
            is_full = True
            call.tried.append(Tried(target, Failure.RATE_LIMIT))
            continue
        except RestingError:
            number -= 1
            continue
        except UpstreamError as failed:
            upstream = failed
        _note(upstream, target, number, call, services)
        error = call_error(upstream, target.connected.name, call.ask, services)
        if is_final(upstream.failure):
            break
    if error is None:
        error = _none_asked(call, targets, is_full=is_full)
    raise error


async def _asked(
    ask: Callable[[Target, int], Awaitable[_Answer]], target: Target, number: int
) -> _Answer:
    """Return what `ask` brings; what goes wrong at the target becomes `UpstreamError`."""
    try:
        return await ask(target, number)
    except (CallError, GateFullError, RestingError, UpstreamError):
        raise
    except HttpError as failed:
        raise _upstream_error(failed) from failed
    except Exception:  # noqa: BLE001 - a provider's bug is that attempt's failure, not ours.
        name = target.connected.name
        _log.exception("provider %s raised something other than UpstreamError", name)
        raise UpstreamError(Failure.UNKNOWN, "the provider failed") from None


def _none_asked(call: Call, targets: Sequence[Target], *, is_full: bool) -> CallError:
    if is_full:
        message = "every place to wait for an answer is taken"
        return CallError("unavailable", message, retry_after_s=1)
    call.target = None
    message = f"whoever answers for {call.ask.model[:80]!r} failed lately and rests; try again"
    rest_s = min(target.health.rest_s for target in targets)
    return CallError("unavailable", message, retry_after_s=max(1.0, rest_s))


def _note(
    failed: UpstreamError, target: Target, number: int, call: Call, services: Services
) -> None:
    call.tried.append(Tried(target, failed.failure))
    _log.info(
        "attempt %d of %s at %s failed: %s: %s",
        number,
        call.request_id,
        target.name,
        failed.failure,
        # Upstreams like to repeat what they were sent, and nobody's log is private.
        "a private call" if call.ask.is_private else services.redact(failed.message)[:200],
    )


def _upstream_error(failed: UpstreamError | HttpError) -> UpstreamError:
    """Return what went wrong in the words that policy reads."""
    if isinstance(failed, UpstreamError):
        return failed
    late = Failure.TIMEOUT if failed.is_timeout else Failure.TRANSIENT
    return UpstreamError(late, str(failed))


async def at_target(
    call: Call,
    target: Target,
    work: Callable[[Visit], Awaitable[_Answer]],
    *,
    limit_s: float,
    waiting_s: float,
    is_stream: bool,
) -> _Answer:
    """Return what `work` does on a visit to the target; of a stream its heir ends the visit.

    Otherwise it is over, as it is after a failure. Waiting for a place may last `waiting_s`, the
    work `limit_s`; later is `UpstreamError`. Raises `GateFullError`, and `RestingError` if the
    target was opened while the call waited.
    """
    watch = call.watch
    await _enter(call, target, waiting_s)
    call.attempts += 1
    visit = Visit(target)
    began = watch.now()
    try:
        try:
            watch.arm(limit_s)
            answer = await work(visit)
        except CancelledError:
            if watch.has_expired():
                raise UpstreamError(Failure.TIMEOUT, "no answer in time") from None
            raise
        finally:
            watch.rest()
    except (UpstreamError, HttpError) as error:
        upstream = _upstream_error(error)
        if is_telling(call, upstream.failure):
            visit.failed(upstream.failure, upstream.retry_after)
        visit.leave()
        raise
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, CallError):
            visit.failed(Failure.UNKNOWN)
        visit.leave()
        raise
    visit.began(watch.now() - began, is_stream=is_stream)
    if not is_stream and call.held is None:
        visit.answered()
        visit.leave()
    return answer


async def _enter(call: Call, target: Target, waiting_s: float) -> None:
    """Take a place at the target's gate, and be counted there."""
    gate, watch = target.connected.gate, call.watch
    watch.arm(waiting_s)
    arrived = watch.now()
    try:
        await gate.enter(call.priority)
    except CancelledError:
        if watch.has_expired():
            raise UpstreamError(Failure.TIMEOUT, "no answer in time") from None
        raise
    finally:
        call.queue_s = (call.queue_s or 0.0) + watch.now() - arrived
        watch.rest()
    if not target.health.enter():
        gate.leave()
        raise RestingError


def is_telling(call: Call, failure: Failure) -> bool:
    """Say whether a failure in `call` says something of its target."""
    return not (call.is_hurried and failure is Failure.TIMEOUT)
