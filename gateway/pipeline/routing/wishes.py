"""What a caller wants of the choice who answers, held to what it may reach: it only ever narrows.

More names to ask in turn are held to the caller's plan as the first one is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from gateway.pipeline.call import Call, Services
from gateway.pipeline.identify import Caller
from gateway.pipeline.limits.lengths import TOKENED
from gateway.pipeline.limits.plan import includes, limits_of
from gateway.pipeline.routing.candidates import dropped_knobs
from gateway.pipeline.routing.conditions import Facts, unmet
from gateway.pipeline.routing.route import Route
from gateway.pipeline.routing.target import Target
from gateway.schema.estimate import input_tokens
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.schema.usage import Usage
from gateway.schema.wishes import MAX_NAMES, Wishes

_MICROS = 1_000_000
_FOR_A_MILLION = frozenset({"input", "output"})
"""Prices of tokens; the others are for one."""


def hold(call: Call, services: Services) -> None:
    """Read what the call wants of routing, and hold it to what its caller may reach.

    OpenRouter's fields pass to an upstream that routes by itself, as they are. Raises 400
    `invalid_parameter` naming the field, 403 `model_not_allowed`.
    """
    wished = call.ask.wished
    if wished is None or call.caller is None:
        return
    found = services.router.find(call.ask.model)
    wishes = wished.own
    if wishes is not None:
        call.further = tuple(_further(wishes, call.caller, call.ask.model, services))
    asked = joined(found, call)
    if wished.borrowed and _routes_itself(asked):
        _hold_borrowed(wished.borrowed, asked, call, services)
        if call.ask.wire is not None:
            call.ask.document.update(wished.borrowed)
        else:
            call.ask.ignored_params += tuple(wished.borrowed)
    elif wished.borrowed:
        if wishes is not None:
            name = next(iter(wished.borrowed))
            message = f"say it once: in {wishes.said_in}, or in {name}"
            raise CallError("invalid_parameter", message, param=name)
        wishes = wished.read(wished.borrowed)
        call.ask.ignored_params += wishes.ignored
        call.further = tuple(_further(wishes, call.caller, call.ask.model, services))
    if wishes is None:
        return
    call.wishes = wishes
    _check_names(wishes, joined(found, call), services)


def joined(found: Route, call: Call) -> Route:
    """Return `found`, followed by the routes of the further names; a target may stand there twice.

    Each time on conditions of its own.
    """
    if not call.further:
        return found
    targets = chain.from_iterable(route.targets for route in parts(found, call))
    return replace(found, targets=tuple(targets))


def parts(found: Route, call: Call) -> tuple[Route, ...]:
    """Return the routes that `joined` joins, in order."""
    return (found, *(route for _, route in call.further))


def kept(targets: Sequence[Target], call: Call, services: Services) -> Sequence[Target]:
    """Return those of `targets` that the caller wants. Raises `invalid_parameter` if none is."""
    if call.wishes is None:
        return targets
    for field, is_wanted in _demands(call.wishes, call, services):
        left = [target for target in targets if is_wanted(target)]
        if not left:
            names = ", ".join(dict.fromkeys(target.connected.name for target in targets))
            message = f"{field} leaves nobody for {call.ask.model[:80]} of {names}: ask for less"
            raise CallError("invalid_parameter", message, param=field)
        targets = left
    return targets


def wanted(targets: Sequence[Target], call: Call, services: Services) -> Sequence[Target]:
    """Return the same before anything is decided; there may be none."""
    if call.wishes is None:
        return targets
    demands = [is_wanted for _, is_wanted in _demands(call.wishes, call, services)]
    return [target for target in targets if all(is_wanted(target) for is_wanted in demands)]


def _demands(
    wishes: Wishes, call: Call, services: Services
) -> Iterable[tuple[str, Callable[[Target], bool]]]:
    """Yield what a target must be, and the field that says so."""
    field, ask = wishes.said_in, call.ask
    if wishes.only:
        yield f"{field}.only", lambda one: is_named(one, wishes.only)
    if wishes.ignore:
        yield f"{field}.ignore", lambda one: not is_named(one, wishes.ignore)
    if wishes.needs_parameters:
        yield f"{field}.require_parameters", lambda one: not dropped_knobs(one, ask)
    if wishes.max_price:
        is_counted = not ask.needs.isdisjoint(TOKENED)
        usage = Usage(input_tokens=input_tokens(ask) if is_counted else 0)
        for name, most in wishes.max_price.items():
            yield wishes.max_price_fields[name], partial(_costs, name, most, usage, services)
    if wishes.order and not wishes.allows_fallbacks:
        yield f"{field}.order", lambda one: is_named(one, wishes.order)


def _costs(name: str, most: float, usage: Usage, services: Services, target: Target) -> bool:
    """Say whether a price of the target is known to be `most` at most."""
    price = _price(target, name, usage, services)
    return price is not None and price <= most


def is_named(target: Target, names: Iterable[str]) -> bool:
    """Say whether one of `names` is the target's, or its provider's."""
    return target.name in names or target.connected.name in names


def answered(found: Route, call: Call) -> None:
    """Note under which of the names that were asked the call has been answered."""
    target = call.target
    if not call.further or target is None:
        return
    named = ((call.ask.model, found), *call.further)
    for name, route in named:
        if any(target is one for each in route.targets for one in (each, *each.others)):
            call.ask.model, call.route_name = name, route.name
            return


def _price(target: Target, name: str, usage: Usage, services: Services) -> float | None:
    """Return US dollars for a million tokens, or for one of what else has a price."""
    rates = services.prices.rates(target, usage)
    rate = None if rates is None else getattr(rates, name)
    if rate is None:
        return None
    return float(rate) if name in _FOR_A_MILLION else float(rate) / _MICROS


def _further(
    wishes: Wishes, caller: Caller, first: str, services: Services
) -> Iterable[tuple[str, Route]]:
    plan = limits_of(caller, services.document)
    asked = services.router.find(first)
    for index, name in enumerate(wishes.models):
        if name == first:
            continue
        field = f"{wishes.models_field}[{index}]"
        try:
            route = services.router.find(name)
        except CallError as error:
            message = f"{field}: {error.message}"
            raise CallError(
                "invalid_parameter", message, param=field, details=error.details
            ) from None
        if not includes(plan, name, route):
            message = f"{field}: your key's plan does not include {name[:80]}"
            raise CallError("model_not_allowed", message, param=field)
        if not route.holds_like(asked):
            message = (
                f"{field}: {name[:80]} changes or guards requests otherwise than {first[:80]}, so "
                "it must be asked by itself"
            )
            raise CallError("invalid_parameter", message, param=field)
        yield name, route


def _check_names(wishes: Wishes, route: Route, services: Services) -> None:
    """Refuse names that nobody has. All providers count: a client may send the same to all."""
    targets = {target.name for target in route.targets}
    for list_name in ("order", "only", "ignore"):
        names: tuple[str, ...] = getattr(wishes, list_name)
        for index, name in enumerate(names):
            if name not in services.document.providers and name not in targets:
                field = f"{wishes.said_in}.{list_name}[{index}]"
                known = ", ".join(sorted({one.connected.name for one in route.targets}))
                message = f"{field}: no provider is called {name[:80]!r}; here answer {known}"
                raise CallError("invalid_parameter", message, param=field)


def _ready(route: Route) -> list[Target]:
    return [target for target in route.targets if target.connected.missing is None]


def _routes_itself(route: Route) -> bool:
    ready = _ready(route)
    return bool(ready) and all(target.card.routes_itself for target in ready)


def _hold_borrowed(fields: JsonObject, found: Route, call: Call, services: Services) -> None:
    """Refuse models of such an upstream that the caller could not ask for by a name of ours."""
    models = fields.get("models")
    if not isinstance(models, list) or call.caller is None:
        return  # No list is the upstream's to refuse.
    if len(models) > MAX_NAMES:
        message = f"models has {len(models)} names: {MAX_NAMES} at most are taken"
        raise CallError("invalid_parameter", message, param="models")
    hosts = {target.connected.name for target in _ready(found)}
    facts = Facts(call.ask, call.caller, services)
    for index, name in enumerate(models):
        if isinstance(name, str) and not hosts <= _hosts_of(name, found, facts, call, services):
            message = f"models[{index}]: {name[:80]!r} is not open to you there by any name here"
            raise CallError("model_not_allowed", message, param=f"models[{index}]")


def _hosts_of(model: str, asked: Route, facts: Facts, call: Call, services: Services) -> set[str]:
    """Return the providers where the caller may have `model` of theirs, by whatever name.

    Only by one that changes and guards requests as `asked` does.
    """
    plan = limits_of(facts.caller, services.document)
    routes = [(route.name, route) for route in services.router.routes]
    if services.router.has(model):
        routes.append((model, services.router.find(model)))
    return {
        target.connected.name
        for name, route in routes
        if includes(plan, name, route) and route.holds_like(asked)
        for target in route.targets
        if target.model == model
        and (call.may_cost or not target.is_priced)
        and unmet(target.when, facts) is None
    }
