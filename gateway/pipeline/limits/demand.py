"""What a call takes of its caller's limits, as far as that is known before it is made."""

from gateway.pipeline.call import Call, Services
from gateway.pipeline.identify import Caller
from gateway.pipeline.limits import budget
from gateway.pipeline.limits.lengths import TOKENED, WRITES, output_ceiling, said_in
from gateway.pipeline.limits.plan import limits_of
from gateway.pipeline.limits.windows import windows_of
from gateway.schema.ask import Ask
from gateway.schema.estimate import input_tokens
from gateway.schema.failure import CallError
from gateway.state.counters import Demand, Share


def demand_of(call: Call, caller: Caller, services: Services) -> Demand:
    """Return the shares of the windows that the caller's plan has, requests first.

    Raises `CallError` for a call that would be too large for an empty window.
    """
    limits = limits_of(caller, services.document)
    call.budget = limits.budget
    windows = windows_of(caller.key, limits, services.clock, calls=1)
    if len(windows) == 1:
        return Demand(caller.key, limits.concurrent, windows)
    shares = []
    for window in windows:
        match window.name:
            case "tokens":
                if call.ask.needs & TOKENED:
                    shares.append(_tokens(call.ask, window))
            case "budget":
                share = budget.share_of(call, window, services)
                if share is not None:
                    shares.append(share)
            case _:
                shares.append(window)
    return Demand(caller.key, limits.concurrent, tuple(shares))


def _tokens(ask: Ask, window: Share) -> Share:
    limit, period_s = window.limit, window.period_s
    read = input_tokens(ask)
    if read > limit:
        message = f"this is about {read} tokens: your key's plan allows {limit} in {period_s} s"
        raise CallError("context_length_exceeded", message, param=said_in(ask))
    amount = read
    if ask.needs & WRITES:
        name, written = output_ceiling(ask)
        amount += written
        if name is None:
            amount = min(amount, limit)
        elif amount > limit:
            message = (
                f"with {name} {written} this may be {amount} tokens: your key's plan allows "
                f"{limit} in {period_s} s; ask for {limit - read} at most"
            )
            raise CallError("invalid_parameter", message, param=name)
    return window._replace(amount=amount)
