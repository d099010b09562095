"""Between who calls and how much they may: what the plan of a caller's key allows."""

from dataclasses import replace

from gateway.config.callers import AnonymousLimits, Plan
from gateway.config.conditions import ANONYMOUS
from gateway.config.document import Document
from gateway.pipeline.call import Call, Services
from gateway.pipeline.identify import Caller
from gateway.pipeline.limits.lengths import WRITES, answers_of, ceilings_of
from gateway.pipeline.routing.route import Route
from gateway.schema.ask import Ask, Feature, Request
from gateway.schema.chat import ChatRequest, CompletionRequest
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.state.key_fields import DEFAULT_PLAN
from gateway.state.keys import Key


def limits_of(caller: Caller, document: Document) -> AnonymousLimits | Plan:
    """Return how often the caller may call."""
    return document.limits.anonymous if caller.held is None else plan_of(caller.held, document)


def plan_of(key: Key, document: Document) -> AnonymousLimits | Plan:
    """Return the plan of a key.

    A plan that is not in the file any more is `default`, and that one, where it is not configured,
    is what anonymous callers have.
    """
    plan = document.plans.get(key.plan) or document.plans.get(DEFAULT_PLAN)
    return plan or document.limits.anonymous


def plan_name(caller: Caller, document: Document) -> str:
    """Return what conditions call the caller's plan."""
    if caller.held is None:
        return ANONYMOUS
    return caller.held.plan if caller.held.plan in document.plans else DEFAULT_PLAN


def hold(call: Call, services: Services) -> None:
    """Hold the call to its caller's plan.

    Raises 403 `model_not_allowed`, 400 `invalid_parameter` naming the field that asks for too much.
    """
    caller = call.caller
    if caller is None or caller.held is None:
        return
    call.may_cost = True
    ask = call.ask
    plan = limits_of(caller, services.document)
    if not isinstance(plan, Plan):
        ask.is_feed_worthy = False
        return
    hold_model(caller, ask, services)
    call.priority = plan.priority
    if plan.max_output_tokens is not None and not ask.needs.isdisjoint(WRITES):
        _hold_length(call, plan.max_output_tokens)
    ask.is_feed_worthy = ask.is_feed_worthy and plan.feed
    if plan.private:
        ask.is_private, ask.is_feed_worthy = True, False
        if ask.finishing is not None:
            ask.finishing = replace(ask.finishing, metadata=None)


def hold_changed(call: Call, services: Services) -> None:
    """Hold what the configuration made of the request to the plan, by cutting its ceilings.

    Raises 400 `invalid_parameter` for more answers than the plan has tokens.
    """
    if call.caller is None or call.caller.held is None:
        return
    plan, ask = limits_of(call.caller, services.document), call.ask
    if not isinstance(plan, Plan) or plan.max_output_tokens is None:
        return
    if ask.needs.isdisjoint(WRITES):
        return
    most = plan.max_output_tokens
    count, _ = answers_of(ask)
    for name, each in ceilings_of(ask).items():
        if each * count > most >= count:
            ask.document[name] = most // count
            call.set_params = (*call.set_params, *({name} - {*call.set_params}))
    _hold_length(call, most)


def hold_model(caller: Caller, ask: Ask, services: Services) -> None:
    """Hold the ask to models of its caller's plan, and to targets that keep to its ceiling.

    A target without such a knob would write as much as it likes. Raises 403 `model_not_allowed`.
    """
    plan = limits_of(caller, services.document)
    if not isinstance(plan, Plan):
        return
    if not includes(plan, ask.model, services.router.find(ask.model)):
        message = f"your key's plan does not include {ask.model[:80]}"
        raise CallError("model_not_allowed", message, param="model")
    if plan.max_output_tokens is not None and not ask.needs.isdisjoint(WRITES):
        ask.needs |= {Feature.OUTPUT_CEILING}


def includes(plan: AnonymousLimits | Plan, name: str, route: Route) -> bool:
    """Say whether callers of the plan may ask for a model, by one of the names of its route."""
    if not isinstance(plan, Plan) or plan.models is None:
        return True
    return any(
        one in {name, route.name} or (one.endswith("*") and name.startswith(one[:-1]))
        for one in plan.models
    )


def _hold_length(call: Call, most: int) -> None:
    ask = call.ask
    count, multiplier = answers_of(ask)
    given = ceilings_of(ask)
    for name, each in given.items():
        if each > most:
            message = f"{name} is {each}: your key's plan allows {most} at most"
            raise CallError("invalid_parameter", message, param=name)
        if each * count > most:
            message = (
                f"{multiplier} asks for {count} answers of {each} tokens: your key's plan allows "
                f"{most} for all of them"
            )
            raise CallError("invalid_parameter", message, param=multiplier)
    if given:
        return
    if count > most:
        message = f"{multiplier} asks for {count} answers: your key's plan allows {most} tokens"
        raise CallError("invalid_parameter", message, param=multiplier)
    most //= count
    if ask.wire is not None:
        ask.document["max_tokens"] = most
        call.set_params = (*call.set_params, "max_tokens")
        return
    translate = ask.translate

    def held(document: JsonObject) -> Request:
        request = translate(document)
        if not isinstance(request, ChatRequest | CompletionRequest):
            return request
        asked = request.sampling
        each = max(1, most // asked.n)
        ceiling = min(asked.max_output_tokens or each, each)
        return replace(request, sampling=replace(asked, max_output_tokens=ceiling))

    ask.translate = held
    call.set_params = (*call.set_params, "max_output_tokens")
