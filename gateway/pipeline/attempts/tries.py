"""Trying targets in turn; `visiting` is how one of them is asked."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from gateway.pipeline.attempts.gate import GateFullError
from gateway.pipeline.attempts.outcome import call_error, is_final
from gateway.pipeline.attempts.retries import REPEATABLE, pause_s
from gateway.pipeline.attempts.visiting import RestingError, upstream_error
from gateway.pipeline.call import Call, Services, Tried
from gateway.pipeline.health.breaker import Condition, TargetHealth
from gateway.pipeline.routing.target import Target
from gateway.schema.failure import CallError, Failure
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError

MAX_ATTEMPTS = 4
_log = logging.getLogger("dynagate.attempt")
_Answer = TypeVar("_Answer")
_KEY_MAY_HELP = frozenset(
    {
        Failure.CREDENTIAL,
        Failure.QUOTA,
        Failure.RATE_LIMIT,
        Failure.MODEL_ACCESS,
        Failure.MODEL_GONE,
        Failure.TRANSIENT,
        Failure.UNKNOWN,
    }
)
"""What another key of the same provider may do better, or the same one a moment later."""


async def first_answer(
    call: Call,
    targets: Sequence[Target],
    services: Services,
    ask: Callable[[Target, int], Awaitable[_Answer]],
    tries: "Tries | None" = None,
) -> _Answer:
    """Return what `ask` brings from the first target that answers; attempts count from 1.

    Targets that rest are passed over; those that failed for a moment are asked again, if
    `retries` says so. Raises the last attempt's error as the caller is to see it; a `CallError` of
    `ask` as it is; 503 `unavailable`, at once, if all rest. `tries` is where it notes what it does,
    for an `ask` that asks others besides.
    """
    tries = tries or Tries(call, services)
    left = targets
    while True:
        for target in left:
            if not tries.may_ask(target):
                continue
            number = tries.number
            try:
                return await asked(ask, target, number)
            except GateFullError:
                tries.note_full(target)
            except RestingError:
                tries.number -= 1
            except UpstreamError as failed:
                tries.note(failed, target, number)
        wait_s = tries.pause_s()
        if wait_s is None:
            raise tries.error or _none_asked(call, targets, is_full=tries.is_full)
        await asyncio.sleep(wait_s)
        left = tries.begin_again()


class Tries:
    """What has been tried for one answer."""

    __slots__ = (
        "_again",
        "_beside",
        "_call",
        "_given_up",
        "_is_over",
        "_is_paid",
        "_services",
        "_told_s",
        "_turns",
        "error",
        "is_full",
        "number",
    )

    def __init__(self, call: Call, services: Services) -> None:
        self._call = call
        self._services = services
        self._again: list[Target] = []
        self._beside: Target | None = None
        self._given_up: TargetHealth | None = None
        self._told_s: float | None = None
        self._is_over = False
        self._is_paid = False
        self._turns = 0
        self.number = 0
        self.error: CallError | None = None
        self.is_full = False

    def may_ask(self, target: Target) -> bool:
        """Say whether the target is to be asked, and count the attempt.

        To pass on to one that failed last time, too, costs the budget: else an outage of all
        doubles what is sent before the breakers know. `pause_s` paid for the first of a retry.
        """
        if target is self._beside or not self._may_go_on() or not target.admits():
            return False
        if target.key is not None and target.health is self._given_up:
            return False
        if self.number == 0:
            self._services.retries.earn()
        elif self._is_paid:
            self._is_paid = False
        elif _has_failed(target) and not self._services.retries.take():
            return False
        self.number += 1
        return True

    def may_ask_beside(self, target: Target) -> bool:
        """Say whether the target, a sound one, may be asked while another has not answered."""
        known = (target.health, target.key)
        is_sound = all(one is None or one.condition is Condition.CLOSED for one in known)
        return is_sound and self._may_go_on()

    def ask_beside(self, target: Target) -> int:
        """Count an attempt beside another, whose turn does not come again; return its number."""
        self._beside = target
        self.number += 1
        return self.number

    def _may_go_on(self) -> bool:
        watch = self._call.watch
        is_over = self._is_over or self.number >= MAX_ATTEMPTS
        return not is_over and watch.now() < watch.deadline

    def note_full(self, target: Target) -> None:
        """Note that as many callers as may wait at the target's gate."""
        self.is_full = True
        self._call.tried.append(Tried(target, Failure.RATE_LIMIT))

    def note(self, failed: UpstreamError, target: Target, number: int) -> None:
        """Note a failed attempt, and whether the target may be asked again."""
        call, services = self._call, self._services
        _note(failed, target, number, call, services)
        self.error = call_error(failed, target.connected.name, call.ask, services)
        self._is_over = is_final(failed.failure)
        if failed.failure not in _KEY_MAY_HELP:
            self._given_up = target.health
        if failed.failure in REPEATABLE:
            told_s = failed.retry_after
            if not self._again:
                self._told_s = told_s
            elif self._told_s is not None:
                self._told_s = None if told_s is None else min(told_s, self._told_s)
            self._again.append(target)

    def pause_s(self) -> float | None:
        """Return how long to wait before those that failed are asked again; None: they are not."""
        settings = self._services.document.retries
        is_over = self._is_over or self._turns >= settings.times or self.number >= MAX_ATTEMPTS
        if is_over or not self._again:
            return None
        watch = self._call.watch
        wait_s = pause_s(settings, self._turns, self._told_s, watch.deadline - watch.now())
        if wait_s is None or not self._services.retries.take():
            return None
        self._is_paid = True
        return wait_s

    def begin_again(self) -> list[Target]:
        """Return the targets that are asked again."""
        self._turns += 1
        self._beside = None
        again, self._again = self._again, []
        return again


async def asked(
    ask: Callable[[Target, int], Awaitable[_Answer]], target: Target, number: int
) -> _Answer:
    """Return what `ask` brings; what goes wrong at the target becomes `UpstreamError`."""
    try:
        return await ask(target, number)
    except (CallError, GateFullError, RestingError, UpstreamError):
        raise
    except HttpError as failed:
        raise upstream_error(failed) from failed
    except Exception:  # noqa: BLE001 - a provider's bug is that attempt's failure, not ours.
        name = target.connected.name
        _log.exception("provider %s raised something other than UpstreamError", name)
        raise UpstreamError(Failure.UNKNOWN, "the provider failed") from None


def _none_asked(call: Call, targets: Sequence[Target], *, is_full: bool) -> CallError:
    if is_full:
        message = "every place to wait for an answer is taken"
        return CallError("unavailable", message, retry_after_s=1)
    call.target = None
    if call.watch.now() >= call.watch.deadline:
        message = "the time for the call was over before anybody could be asked"
        return CallError("deadline_exceeded", message, failure=Failure.TIMEOUT)
    message = f"whoever answers for {call.ask.model[:80]!r} failed lately and rests; try again"
    rest_s = min(target.rest_s for target in targets)
    return CallError("unavailable", message, retry_after_s=max(1.0, rest_s))


def _note(
    failed: UpstreamError, target: Target, number: int, call: Call, services: Services
) -> None:
    call.tried.append(Tried(target, failed.failure))
    _log.info(
        "attempt %d of %s at %s failed: %s: %s",
        number,
        call.request_id,
        target.label,
        failed.failure,
        # Upstreams like to repeat what they were sent, and nobody's log is private.
        "a private call" if call.ask.is_private else services.redact(failed.message)[:200],
    )


def _has_failed(target: Target) -> bool:
    """Say whether the last call there failed."""
    return bool(target.health.failures or (target.key is not None and target.key.failures))
