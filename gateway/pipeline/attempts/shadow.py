"""Copies of calls to a model that is on trial: its answers are compared, and thrown away.

A copy begins when the answer is whole, behind everybody who waits at the same gate. The call knows
nothing of what becomes of it.
"""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from random import random
from typing import Any

from gateway.pipeline.accounting.account import record_shadow
from gateway.pipeline.attempts.attempt import ask
from gateway.pipeline.attempts.gate import GateFullError
from gateway.pipeline.attempts.hedge import Shadowing
from gateway.pipeline.attempts.outcome import call_error
from gateway.pipeline.attempts.said import Said, listened
from gateway.pipeline.attempts.tries import asked
from gateway.pipeline.attempts.twins import twin_of
from gateway.pipeline.attempts.visiting import RestingError
from gateway.pipeline.call import Call, Services
from gateway.pipeline.ending import release
from gateway.pipeline.health.breaker import Condition
from gateway.pipeline.limits.lengths import WRITES
from gateway.pipeline.routing.target import Target
from gateway.schema.ask import Ask
from gateway.schema.failure import CallError
from gateway.schema.reply import Events, Frames, Reply, Stream
from gateway.sdk.errors import UpstreamError
from gateway.telemetry.besides import Side

_log = logging.getLogger("dynagate.shadow")
_LAST = -(1 << 30)
"""Whoever else waits at a gate goes first."""


def drawn(call: Call, shadowing: Shadowing, services: Services) -> "Copy | None":
    """Return what is to be asked once more, if it is this call's turn; before it is asked itself.

    Never of a private call, nor of one that is answered with something else than words, that may
    not reach targets that cost, or that needs what the other model lacks.
    """
    if random() * 100 >= shadowing.settings.percent:  # noqa: S311 - no secret.
        return None
    copied = call.ask
    if copied.is_private or copied.answer != "text" or copied.needs.isdisjoint(WRITES):
        return None
    other = services.router.find(shadowing.settings.model)
    for target in other.targets:
        if _can_answer(target, call):
            return Copy(shadowing, target, replace(copied))
    return None


def _can_answer(target: Target, call: Call) -> bool:
    """Say whether the target answers such a call by itself; one that rests is no help."""
    is_closed = target.health.condition is Condition.CLOSED and target.admits()
    is_there = target.connected.missing is None and is_closed
    is_able = call.ask.needs <= target.features
    is_open = call.may_cost or not target.is_priced
    return is_there and is_able and is_open and not (call.ask.links and not call.fetched)


class Copy:
    """One call asked once more. Its request is its own, since the call drops it once answered."""

    __slots__ = ("_ask", "_copies", "_said", "_shadowing", "_target")

    def __init__(self, shadowing: Shadowing, target: Target, copied: Ask) -> None:
        self._shadowing = shadowing
        self._copies = shadowing.copies
        self._target = target
        self._ask = copied
        self._said = Said()

    def beside(self, reply: Reply, call: Call, services: Services) -> Reply:
        """Return the call's `reply`; at its end the copy is asked, in a task of its own."""
        return listened(reply, self._said, partial(self._start, call, services))

    def _start(self, call: Call, services: Services) -> None:
        shadowing, figures = self._shadowing, services.metrics.besides
        is_free = self._copies.count < shadowing.settings.concurrent
        if not is_free or not services.ledger.is_open:
            figures.shadowed(call.route_name, "skipped")
            return
        self._copies.enter()
        took_s = services.clock.monotonic() - call.started
        try:
            services.background.start("shadow", self._asked(call, took_s, services))
        except RuntimeError:  # The process is at its limit.
            self._copies.leave()
            figures.shadowed(call.route_name, "skipped")

    async def _asked(self, call: Call, took_s: float, services: Services) -> None:
        with services.users.held():
            await self._run(call, took_s, services)

    async def _run(self, call: Call, took_s: float, services: Services) -> None:
        task = asyncio.current_task()
        if task is None:
            msg = "a copy runs in a task"
            raise RuntimeError(msg)
        copied = self._call(call, task, services)
        said = Said()
        try:
            with copied.watch:
                await self._ask_it(copied, said, services)
        except UpstreamError as failed:
            name = self._target.connected.name
            copied.error = call_error(failed, name, copied.ask, services)
        except (GateFullError, RestingError):
            copied.error = CallError("unavailable", "there was no place for it")
        except CallError as error:
            copied.error = error
        finally:
            self._copies.leave()
        self._compare(call, took_s, copied, said, services)

    def _call(self, call: Call, task: asyncio.Task[Any], services: Services) -> Call:
        """Return the copy's own call: nobody's, and nobody's to pay for."""
        now, settings = services.clock.monotonic(), self._shadowing.settings
        return replace(
            twin_of(call),
            request_id=f"{call.request_id}-shadow",
            ask=replace(self._ask, model=settings.model, dialect="shadow"),
            watch=call.watch.over(task, settings.timeout_s),
            started=now,
            deadline=now + settings.timeout_s,
            client_request_id=None,
            caller=None,
            is_hurried=False,
            priority=_LAST,
            demand=None,
            budget=None,
            lease=None,
            kept=None,
            cost=None,
            error=None,
            first_at=None,
            is_aborted=False,
            hedged="",
            lost=None,
            recall=None,
            generation=None,
            guards={},
            visits=None,
            twin_of=None,
        )

    async def _ask_it(self, copied: Call, said: Said, services: Services) -> None:
        reply = await asked(partial(ask, services, copied), self._target, 1)
        if copied.ask.is_stream:
            copied.first_at = services.clock.monotonic()
        is_whole = False
        try:
            match listened(reply, said, _do_nothing):
                case Frames(items) | Events(items) | Stream(_, items):
                    async with aclosing(items):
                        async for _ in items:
                            pass
            is_whole = True
        except CallError as error:
            copied.error = error
            raise
        finally:
            await release(copied, is_whole=is_whole)

    def _compare(
        self, call: Call, took_s: float, copied: Call, said: Said, services: Services
    ) -> None:
        record_shadow(copied, services)
        shadow_s = services.clock.monotonic() - copied.started
        theirs, ours = self._said.words, said.words
        outcome = "failed" if copied.error else "same" if theirs == ours else "different"
        services.metrics.besides.shadowed(call.route_name, outcome)
        sides = {
            "answer": Side(took_s, _tokens(call), sum(map(len, theirs))),
            "shadow": Side(shadow_s, _tokens(copied), sum(map(len, ours))),
        }
        if not copied.error:
            services.metrics.besides.compared(call.route_name, sides)
        _log.info(
            "%s: %s at %s is %s (%s)%s",
            copied.request_id,
            call.ask.model[:80],
            self._target.name,
            outcome,
            copied.error.code if copied.error else "ok",
            "".join(
                f"; {name}: {side.seconds * 1000:.0f} ms, {side.tokens} tokens, "
                f"{side.characters} characters"
                for name, side in sides.items()
            ),
        )


def _tokens(call: Call) -> int:
    return call.usage.total_out if call.usage is not None else 0


def _do_nothing() -> None:
    """Nobody waits for its end."""
