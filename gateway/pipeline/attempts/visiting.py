"""Asking one target: a place at its gate, its deadlines, and what its health learns of it."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.pipeline.attempts.visit import Visit
from gateway.pipeline.call import Call, Visited
from gateway.pipeline.routing.target import Target
from gateway.pipeline.watch import precise_now
from gateway.schema.failure import CallError, Failure
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError

_Answer = TypeVar("_Answer")


class RestingError(Exception):
    """The target was opened while the call waited at its gate."""


def upstream_error(failed: UpstreamError | HttpError) -> UpstreamError:
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
    began, took_s = precise_now(), 0.0
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
            took_s = precise_now() - began
            call.upstream_s += took_s
    except (UpstreamError, HttpError) as error:
        upstream = upstream_error(error)
        if call.visits is not None:
            call.visits.append(Visited(target.name, upstream.failure, took_s))
        if is_telling(call, upstream.failure):
            visit.failed(upstream.failure, upstream.retry_after)
        visit.leave()
        raise
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, CallError):
            visit.failed(Failure.UNKNOWN)
        visit.leave()
        raise
    visit.began(took_s, is_stream=is_stream)
    if call.visits is not None:
        call.visits.append(Visited(target.name, None, took_s))
    if not is_stream and call.held is None:
        visit.answered()
        visit.leave()
    return answer


async def _enter(call: Call, target: Target, waiting_s: float) -> None:
    """Take a place at the target's gate, and be counted there."""
    gate, watch = target.connected.gate, call.watch
    if gate.enter_at_once():
        call.queue_s = call.queue_s or 0.0
        if not target.enter():
            gate.leave()
            raise RestingError
        return
    watch.arm(waiting_s)
    arrived = precise_now()
    try:
        await gate.enter(call.priority)
    except CancelledError:
        if watch.has_expired():
            raise UpstreamError(Failure.TIMEOUT, "no answer in time") from None
        raise
    finally:
        call.queue_s = (call.queue_s or 0.0) + precise_now() - arrived
        watch.rest()
    if not target.enter():
        gate.leave()
        raise RestingError


def is_telling(call: Call, failure: Failure) -> bool:
    """Say whether a failure in `call` says something of its target."""
    return not (call.is_hurried and failure is Failure.TIMEOUT)
