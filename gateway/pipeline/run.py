"""THE list of steps."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.pipeline import budget, conditions, order, plan, quota, route, transforms
from gateway.pipeline.account import account
from gateway.pipeline.attempt import attempt
from gateway.pipeline.call import Call, Services
from gateway.pipeline.lenders import lent
from gateway.pipeline.speaking import spoken
from gateway.pipeline.tries import is_telling
from gateway.pipeline.visit import Visit
from gateway.schema.failure import CallError
from gateway.schema.reply import Reply

_log = logging.getLogger("dynagate.pipeline")
_CLOSED_S = 5


@asynccontextmanager
async def run(call: Call, services: Services) -> AsyncGenerator[Reply]:
    """Answer a call; the reply is written inside the block.

    Leaving it frees the caller's place and the provider, and settles the account.
    Raises `CallError`, before the reply or, from a streamed reply, while it is read.
    """
    services.metrics.in_flight += 1
    try:
        call.caller = services.identifier.identify(call.presented)
        call.may_cost = services.may_cost
        plan.hold(call, services)
        _demand_ledger(services)
        if services.router.has_transforms:
            transforms.apply(call, services)
        await quota.take(call, services)
        found = services.router.find(call.ask.model)
        call.route_name = found.name
        added = lent(call, services)
        able = route.candidates(found, call.ask, may_cost=call.may_cost, lent=added)
        admitted = conditions.admitted(able, call.ask, call.caller, services)
        payable = budget.payable(call, admitted, services)
        in_order = order.arranged(payable, found, call, services)
        reply = await attempt(call, in_order, services, found.hedge)
        reply = await spoken(reply, call, services)
        if call.ask.is_stream:
            call.first_at = services.clock.monotonic()
        yield reply
    except CallError as error:
        call.error = error
        raise
    except (asyncio.CancelledError, ConnectionError):
        call.is_aborted = True
        raise
    except Exception as error:
        _log.exception("%s: a bug in the gateway or in provider code", call.request_id)
        call.error = CallError("internal_error", "something went wrong here; it has been logged")
        raise call.error from error
    finally:
        # The caller's place is free before anything that may take time.
        quota.leave(call, services)
        services.metrics.in_flight -= 1
        try:
            if call.held is not None:
                _tell_health(call, call.held.visit)
                await call.held.release()
        finally:
            account(call, services)
            quota.settle(call)


def _tell_health(call: Call, visit: Visit) -> None:
    """Tell how a streamed answer ended; a caller that left says nothing of its target."""
    if call.error is None:
        if not call.is_aborted:
            visit.answered()
    elif call.error.failure is not None and is_telling(call, call.error.failure):
        visit.failed(call.error.failure)


def _demand_ledger(services: Services) -> None:
    """Raise 503 `unavailable` while no call can be kept: then none is made."""
    if not services.ledger.is_open:
        message = "calls cannot be recorded now, so none is made; the operator's log says why"
        raise CallError("unavailable", message, retry_after_s=_CLOSED_S)
