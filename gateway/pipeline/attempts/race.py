"""Two attempts at once: a second one elsewhere, when the first keeps its caller waiting.

The first runs in the call's own task, as always: a call that is answered in time pays for a timer.
The second has a task of its own; if it answers first, that of the call is cancelled, takes the
cancellation back, and reads what the other pulls.
"""

import asyncio
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from gateway.pipeline.attempts.gate import GateFullError
from gateway.pipeline.attempts.hedge import Hedging
from gateway.pipeline.attempts.outcome import is_final
from gateway.pipeline.attempts.pump import Pump
from gateway.pipeline.attempts.tries import Tries, asked, first_answer
from gateway.pipeline.attempts.twins import adopt, lose, twin_of
from gateway.pipeline.attempts.visiting import RestingError
from gateway.pipeline.call import Call, Services
from gateway.pipeline.limits.budget import most_of
from gateway.pipeline.routing.target import Target
from gateway.schema.failure import CallError
from gateway.schema.reply import Reply
from gateway.sdk.errors import UpstreamError

Ask = Callable[[Call, Target, int], Awaitable[Reply]]


async def hedged_answer(
    call: Call, targets: Sequence[Target], services: Services, hedging: Hedging, ask: Ask
) -> Reply:
    """Return the first answer, as `first_answer` does; one attempt may be made beside another."""
    hedging.budget.earn()
    race = _Race(call, targets, services, hedging, ask)
    try:
        return await first_answer(call, targets, services, race.ask, race.tries)
    finally:
        race.end()


class _Race:
    """The attempts of one call; at most one of them is made beside another."""

    def __init__(
        self,
        call: Call,
        targets: Sequence[Target],
        services: Services,
        hedging: Hedging,
        ask: Ask,
    ) -> None:
        self._call = call
        self._targets = targets
        self._services = services
        self._hedging = hedging
        self._ask = ask
        self._is_stream = call.ask.is_stream or call.ask.answer == "bytes"
        self._rival: _Rival | None = None
        self._task = asyncio.current_task()
        self._cancelling = 0 if self._task is None else self._task.cancelling()
        self._has_cancelled = self._is_waiting = False
        self.tries = Tries(call, services)
        self.is_over = False

    async def ask(self, target: Target, number: int) -> Reply:
        """Ask a target whose turn it is; return its answer, or the rival's."""
        call = self._call
        attempts, began = call.attempts, call.watch.now()
        timer = self._timer(target)
        try:
            answer = await asked(partial(self._ask, call), target, number)
        except CancelledError:
            if not self._has_cancelled or not self._take_back():
                raise
            if call.attempts > attempts:
                target.health.outrun(call.watch.now() - began, is_stream=self._is_stream)
                lose(call, replace(call), self._services)
            return self._adopted()
        except (UpstreamError, GateFullError, RestingError) as failed:
            is_known = isinstance(failed, UpstreamError) and is_final(failed.failure)
            if is_known or not await self._rival_answers():
                raise
            if isinstance(failed, UpstreamError):
                self.tries.note(failed, target, number)
            return self._adopted()
        finally:
            if timer is not None:
                timer.cancel()
        self._take_back()
        return answer

    def end(self) -> None:
        """Give the rival up, if it has not answered: it frees what it holds in its own task."""
        self.is_over = True
        rival, call = self._rival, self._call
        if rival is None:
            return
        if call.hedged != "won":
            call.hedged = "lost"
            rival.cancel()
            call.attempts += rival.call.attempts
            if rival.call.attempts and not rival.has_failed:
                lose(call, replace(rival.call), self._services)

    def won(self) -> bool:
        """Tell the call's task that the rival has answered; False: it is too late."""
        if self.is_over:
            return False
        if not self._is_waiting and self._task is not None:
            self._has_cancelled = True
            self._task.cancel()
        return True

    def _timer(self, target: Target) -> asyncio.TimerHandle | None:
        if self._rival is not None or not self._call.ask.needs <= target.features:
            return None
        after_s = self._hedging.after_s(target, is_stream=self._is_stream)
        if after_s is None:
            return None
        return asyncio.get_running_loop().call_later(after_s, self._start, target)

    def _start(self, late: Target) -> None:
        """Ask the next target that can answer by itself, if the budgets allow it."""
        target = next((one for one in self._targets if self._may_be_asked(one, late)), None)
        if target is None or not self._hedging.budget.take():
            return
        rival = _Rival(self, target, self.tries.ask_beside(target), self._call)
        work = rival.run(partial(self._ask, rival.call), self.tries)
        try:
            rival.cancel = self._services.background.start("hedge", work)
        except RuntimeError:
            return  # The process is at its limit: the first attempt goes on alone.
        self._rival = rival

    def _may_be_asked(self, target: Target, late: Target) -> bool:
        is_other = target.health is not late.health and self.tries.may_ask_beside(target)
        if not is_other or not self._call.ask.needs <= target.features:
            return False
        if any(tried.target is target for tried in self._call.tried):
            return False
        most = self._hedging.max_cost_usd_micros
        if most is None:
            return True
        try:
            costs = most_of(target, self._call, self._services)
        except (CallError, OSError):  # Of a request that cannot be measured.
            return False
        return costs is not None and costs <= most

    async def _rival_answers(self) -> bool:
        """Wait for the rival, if there is one, when the first attempt has failed."""
        rival = self._rival
        if rival is None or rival.has_failed:
            return False
        self._is_waiting = True
        try:
            await asyncio.shield(rival.decided)
        finally:
            self._is_waiting = False
        self._take_back()
        return rival.reply is not None

    def _take_back(self) -> bool:
        """Undo the rival's cancellation; False if the task is cancelled by others as well."""
        if not self._has_cancelled or self._task is None:
            return True
        self._has_cancelled = False
        return self._task.uncancel() <= self._cancelling

    def _adopted(self) -> Reply:
        """Make the rival's answer the call's."""
        rival, call = self._rival, self._call
        if rival is None or rival.reply is None:
            msg = "nobody has answered"
            raise RuntimeError(msg)
        adopt(call, rival.call)
        call.attempts += rival.call.attempts
        call.hedged = "won"
        call.held = None if rival.pump is None else rival.pump.held
        return rival.reply


class _Rival:
    """The second attempt, in a task of its own."""

    def __init__(self, race: _Race, target: Target, number: int, call: Call) -> None:
        self._race = race
        self._target = target
        self._number = number
        self._first = call
        self.call = twin_of(call)
        self.call.target = target
        self.cancel: Callable[[], None] = _do_nothing
        self.decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done as soon as there is a reply, or will be none."""
        self.reply: Reply | None = None
        self.pump: Pump | None = None
        self.has_failed = False

    async def run(self, ask: Callable[[Target, int], Awaitable[Reply]], tries: Tries) -> None:
        """Ask the target, and pour what it streams if it is the first to answer."""
        task = asyncio.current_task()
        if task is None:
            msg = "an attempt runs in a task"
            raise RuntimeError(msg)
        self.call.watch = self._first.watch.over(task)
        with self.call.watch:
            await self._run(ask, tries)

    async def _run(self, ask: Callable[[Target, int], Awaitable[Reply]], tries: Tries) -> None:
        try:
            reply = await self._answer(ask, tries)
            if reply is None:
                return
            held = self.call.held
            if not self._race.won():
                if held is not None:
                    await held.release()
                return
            if held is not None:
                on_end = partial(adopt, self._first, self.call)
                self.pump = Pump(reply, held, self.cancel, on_end)
                reply = self.pump.reply
            self.reply = reply
        finally:
            if not self.decided.done():
                self.decided.set_result(None)
        if self.pump is not None:
            await self.pump.pour()

    async def _answer(
        self, ask: Callable[[Target, int], Awaitable[Reply]], tries: Tries
    ) -> Reply | None:
        try:
            return await asked(ask, self._target, self._number)
        except GateFullError:
            tries.note_full(self._target)
        except (RestingError, CallError):
            pass
        except UpstreamError as failed:
            tries.note(failed, self._target, self._number)
        self.has_failed = True
        return None


def _do_nothing() -> None:
    """Cancel nothing: the attempt has not begun."""
