"""What would be done with a request: the steps of `run`, looked at and not taken.

Each answer comes from the function that the step itself asks. Nothing is counted, sent or waited
for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

from gateway.pipeline.attempts.attempt import why_opened
from gateway.pipeline.attempts.tries import MAX_ATTEMPTS
from gateway.pipeline.caching.fingerprint import fingerprint
from gateway.pipeline.call import Call, Services
from gateway.pipeline.limits import budget, plan
from gateway.pipeline.limits.demand import demand_of
from gateway.pipeline.limits.standing import COST
from gateway.pipeline.limits.windows import BUDGET
from gateway.pipeline.routing import conditions, order, wishes
from gateway.pipeline.routing.candidates import Reason, candidates, dropped_knobs, unfit
from gateway.pipeline.routing.lenders import lent
from gateway.pipeline.routing.route import Route
from gateway.pipeline.routing.target import Target
from gateway.pipeline.rules import guards, stages, transforms
from gateway.schema.ask import Feature
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.schema.wires import fields_of
from gateway.state.counters import Counters
from gateway.state.key_fields import moment_text

CONDITION, CONTEXT, UNWANTED = "condition", "context", "unwanted"
NO_PRICE, RESTS = "no_price", "rests"
"""Why targets that could answer are not asked, besides `Reason`, in the order of the steps."""


class _Refusals:
    """Keeps the first error, which is the caller's; what comes after it is told all the same."""

    def __init__(self) -> None:
        self.first: CallError | None = None

    def __enter__(self) -> None:
        """Begin a step."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Go on after a refusal, and after nothing else."""
        if not isinstance(error, CallError):
            return False
        self.first = self.first or error
        return True


@dataclass(slots=True)
class _Seen:
    """What has been found out."""

    refusals: _Refusals = field(default_factory=_Refusals)
    lent: frozenset[Feature] = frozenset()
    targets: Sequence[Target] = ()
    """All of the names that are asked, each key of a provider for itself."""
    admitted: Sequence[Target] = ()
    wanted: Sequence[Target] = ()
    asked: Sequence[Target] = ()
    limits: JsonObject | None = None
    cache_key: str | None = None
    are_guarded: bool = False


async def explain(call: Call, services: Services, counters: Counters) -> JsonObject:
    """Return the plan for `call`, whose caller is known, for JSON; `error` is what it would get.

    The call's request is changed as it would be for real.
    """
    seen = _Seen()
    refusals = seen.refusals
    call.may_cost = services.may_cost
    with refusals:
        plan.hold(call, services)
    with refusals:
        wishes.hold(call, services)
    with refusals:
        transforms.apply(call, services)
    with refusals:
        seen.limits = await _limits(call, services, counters)
        _check_full(seen.limits)
    route: Route | None = None
    with refusals:
        route = services.router.find(call.ask.model)
    if route is not None:
        await _look(call, route, services, seen)
    return {
        "model": call.ask.model,
        "error": told_error(seen.refusals.first),
        "caller": _caller(call),
        "parameters": {"set": list(call.set_params), "dropped": list(call.removed_fields)},
        "guards": {"found": dict(call.guards), "are_on_answers": seen.are_guarded},
        "needs": sorted(call.ask.needs),
        "lent": sorted(seen.lent),
        "limits": seen.limits,
        "route": None if route is None else _route(route),
        "attempts": MAX_ATTEMPTS,
        "candidates": _candidates(call, services, seen),
        "price": _price(seen.asked, call, services),
        "cache_key": seen.cache_key,
    }


def told_error(error: CallError | None) -> JsonObject | None:
    """Return an error for JSON, as the caller would get it."""
    if error is None:
        return None
    return {
        "status": error.status,
        "code": error.code,
        "message": error.message,
        "param": error.param,
    }


async def _look(call: Call, route: Route, services: Services, seen: _Seen) -> None:
    """Choose the targets as `run` does, in its order."""
    refusals = seen.refusals
    call.route_name = route.name
    if route.guards is not None:
        with refusals:
            await guards.check(call, route.guards)
        seen.are_guarded = call.is_opened
    if route.stages:
        stages.place(call, route.stages)
    if route.cache is not None:
        seen.cache_key = fingerprint(call, route)
    joined = wishes.joined(route, call)
    seen.targets = [one for target in joined.targets for one in (target, *target.others)]
    with refusals:
        seen.lent = lent(call, services)
        able = candidates(joined, call.ask, may_cost=call.may_cost, lent=seen.lent)
        seen.admitted = conditions.admitted(able, call.ask, call.caller, services)
        seen.wanted = wishes.kept(seen.admitted, call, services)
        payable = budget.payable(call, seen.wanted, services)
        seen.asked = order.arranged(payable, route, call, services)
        if not any(target.admits() for target in seen.asked):
            rest_s = min(target.rest_s for target in seen.asked)
            message = f"whoever answers for {call.ask.model[:80]!r} failed lately and rests"
            raise CallError("unavailable", message, retry_after_s=max(1.0, rest_s))


def _candidates(call: Call, services: Services, seen: _Seen) -> list[JsonObject]:
    """Return a line for each target: first those that are asked, in their order."""
    asked = [target for target in seen.asked if target.admits()]
    places = {id(target): place for place, target in enumerate(asked, 1)}
    told = [_candidate(target, call, services, seen, places) for target in seen.targets]
    return sorted(told, key=lambda line: line["place"] or len(told) + 1)


def _candidate(
    target: Target, call: Call, services: Services, seen: _Seen, places: dict[int, int]
) -> JsonObject:
    ask = call.ask
    why = _why_not(target, call, services, seen)
    line: JsonObject = {
        "target": target.label,
        "place": places.get(id(target)) if why is None else None,
        "reason": None if why is None else why[0],
        "said": None if why is None else why[1],
        "tier": target.tier,
        "weight": target.weight,
        "health": target.health.told(),
    }
    if why is not None and why[0] in {*Reason}:
        return line
    knobs = dropped_knobs(target, ask)
    dropped = [name for knob in knobs for name in fields_of(knob, ask.document)]
    because = why_opened(call, target)
    if ask.needs - target.features:
        because = "the gateway hears or speaks for the target"
    path = "media" if ask.answer != "text" else "events"
    return line | {
        "path": path if because else "forward",
        "opened_because": because,
        "dropped_params": dropped,
        "price": _price([target], call, services),
    }


def _why_not(target: Target, call: Call, services: Services, seen: _Seen) -> tuple[str, str] | None:
    found = unfit(target, call.ask, may_cost=call.may_cost, lent=seen.lent)
    if found is not None:
        return found.reason, found.said
    if (left_out := _why_left_out(target, call, services, seen)) is not None:
        return left_out
    with seen.refusals:
        if not budget.is_payable(target, call, services):
            return NO_PRICE, "the caller has a budget, and nobody knows what it costs"
    if not target.admits():
        known = target.health if target.key is None or not target.health.admits() else target.key
        return RESTS, f"it failed lately: {known.why}"
    return None


def _why_left_out(
    target: Target, call: Call, services: Services, seen: _Seen
) -> tuple[str, str] | None:
    """Return why a target that could answer is not there for this call, or not wanted."""
    if call.caller is not None and target.when is not None:
        facts = conditions.Facts(call.ask, call.caller, services)
        unmet = conditions.unmet(target.when, facts)
        if unmet is not None:
            return CONDITION, f"its conditions are not met: {unmet.name.lower()}"
    if not _has(seen.admitted, target):
        return CONTEXT, "its context is too small, and another has room"
    if not _has(seen.wanted, target):
        return UNWANTED, "the caller wants others"
    return None


def _has(targets: Sequence[Target], target: Target) -> bool:
    return any(one.name == target.name and one.when == target.when for one in targets)


def _route(route: Route) -> JsonObject:
    told: JsonObject = {"name": route.name, "strategy": route.strategy}
    return told | ({"sticky_by": route.sticky_by} if route.strategy == "sticky" else {})


def _caller(call: Call) -> JsonObject | None:
    caller = call.caller
    if caller is None:
        return None
    held = caller.held
    return {
        "address": caller.address,
        "key_id": None if held is None else held.id or None,
        "plan": None if held is None else held.plan,
        "may_cost": call.may_cost,
    }


def _price(targets: Sequence[Target], call: Call, services: Services) -> JsonObject | None:
    """Return the least and the most, in millionths of a US dollar; None where it is not known."""
    known: list[tuple[int, int]] = []
    for target in targets:
        try:
            least = budget.least_of(target, call, services)
            most = budget.most_of(target, call, services)
        except CallError:
            return None  # What a request cannot mean has no price.
        if least is None or most is None:
            return None
        known.append((least, most))
    if not known:
        return None
    return {
        "least_usd_micros": min(least for least, _ in known),
        "most_usd_micros": max(most for _, most in known),
    }


async def _limits(call: Call, services: Services, counters: Counters) -> JsonObject | None:
    """Return how the windows stand that the call would be counted in, and what it would take."""
    if call.caller is None:
        return None
    demand = demand_of(call, call.caller, services)
    standing = await counters.look(demand)
    windows = [
        {
            "counts": COST if share.name == BUDGET else share.name,
            "takes": share.amount,
            "limit": share.limit,
            "remaining": max(0, share.limit - used.used),
            "period_s": share.period_s,
            "resets_at": moment_text(used.resets_at),
        }
        for share, used in zip(demand.shares, standing.windows, strict=True)
    ]
    concurrent = {"limit": demand.concurrent, "in_flight": standing.in_flight}
    return {"windows": windows, "concurrent": concurrent}


def _check_full(limits: JsonObject | None) -> None:
    """Raise 429 where the call would have to wait, or be refused."""
    if limits is None:
        return
    for window in limits["windows"]:
        if window["takes"] > window["remaining"]:
            code = "insufficient_quota" if window["counts"] == COST else "rate_limit_exceeded"
            message = f"the call takes {window['takes']} of {window['counts']}, and "
            raise CallError(code, f"{message}{window['remaining']} of {window['limit']} are left")
    concurrent = limits["concurrent"]
    if concurrent["in_flight"] >= concurrent["limit"]:
        message = f"{concurrent['in_flight']} calls are under way already"
        raise CallError("concurrency_limit_exceeded", message)
