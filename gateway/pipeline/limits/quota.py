"""Step 2: how much the caller may use."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from types import MappingProxyType

from gateway.pipeline.call import Call, Services
from gateway.pipeline.limits.demand import demand_of
from gateway.pipeline.limits.windows import BUDGET, REQUESTS, TOKENS, dollars
from gateway.schema.failure import CallError
from gateway.state.counters import CONCURRENT, Demand, Refused, Share, Window


async def take(call: Call, services: Services) -> None:
    """Count the call, or raise 429: a window is full, or too many are under way."""
    caller = call.caller
    if caller is None:
        msg = "identify comes first"
        raise RuntimeError(msg)
    call.demand = demand_of(call, caller, services)
    is_openai = call.ask.dialect.startswith("openai")
    most_s = call.deadline - services.clock.monotonic() if call.is_hurried else inf
    taken = await services.waiting.take(call.demand, most_s)
    if isinstance(taken, Refused):
        raise _refusal(
            taken,
            call.demand,
            has_ietf_fields=services.document.limits.ietf_fields,
            is_openai=is_openai,
        )
    call.lease = taken
    if services.document.limits.ietf_fields:
        call.limit_fields = ietf_fields(call.demand.shares, taken.windows)
    if len(call.demand.shares) > 1 and is_openai:
        for share, window in zip(call.demand.shares, taken.windows, strict=True):
            if share.name == TOKENS:
                call.limit_fields = {**call.limit_fields, **token_headers(window)}


def leave(call: Call, services: Services) -> None:
    """Give the caller's place back, once what the call needed of it is over. Never waits."""
    if call.lease is not None and call.demand is not None:
        call.lease.release()
        services.waiting.left(call.demand.key)


def settle(call: Call) -> None:
    """Count what the call turned out to need in place of what was taken for it. Never waits."""
    if call.lease is None or call.demand is None:
        return
    if call.error is not None and call.error.code == "upstream_rate_limited":
        call.lease.settle(REQUESTS, 0)  # It was not the caller who had called too often.
    if len(call.demand.shares) > 1:
        usage = call.usage
        call.lease.settle(TOKENS, usage.total_in + usage.total_out if usage else 0)
        # What nobody knows the cost of, keeps what was taken for it.
        if call.cost is not None and call.cost.usd_micros is not None:
            call.lease.settle(BUDGET, call.cost.usd_micros)


def _refusal(
    refused: Refused, demand: Demand, *, has_ietf_fields: bool, is_openai: bool
) -> CallError:
    window = refused.window
    name = REQUESTS if refused.name == CONCURRENT else refused.name
    share = next(share for share in demand.shares if share.name == name)
    headers = _HEADERS[name](window)
    if is_openai and name == REQUESTS:
        headers |= request_headers(window)
    if has_ietf_fields and name != BUDGET:
        headers |= ietf_fields((share,), (window,))
    if refused.name == CONCURRENT:
        return CallError(
            "concurrency_limit_exceeded",
            f"{demand.concurrent} requests are under way already; wait for one to end",
            retry_after_s=1,
            headers=headers,
        )
    wait_s = max(1, window.resets_in_s)
    return CallError(
        "insufficient_quota" if name == BUDGET else "rate_limit_exceeded",
        f"{_exceeded(share, window)}. Try again in {wait_s} seconds.",
        details={
            "reset_time": datetime.fromtimestamp(window.resets_at, UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            )
        },
        retry_after_s=wait_s,
        headers=headers,
    )


def _exceeded(share: Share, window: Window) -> str:
    if share.name == REQUESTS:
        return f"Rate limit of {window.limit} requests exceeded"
    if share.name == TOKENS:
        return (
            f"Rate limit of {window.limit} tokens exceeded: this call may use {share.amount}, "
            f"{window.remaining} are left"
        )
    limit, amount, left = map(dollars, (window.limit, share.amount, window.remaining))
    return (
        f"Budget of {limit} exceeded: this call may cost {amount}, {left} are left; ask for fewer "
        "tokens with max_tokens"
    )


def rate_headers(window: Window) -> dict[str, str]:
    """Return the published API's limit headers."""
    return {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.remaining),
        "X-RateLimit-Reset": str(window.resets_at),
    }


def request_headers(window: Window) -> dict[str, str]:
    """Return OpenAI's headers for requests."""
    return {
        "x-ratelimit-limit-requests": str(window.limit),
        "x-ratelimit-remaining-requests": str(window.remaining),
        "x-ratelimit-reset-requests": window.resets_in,
    }


def token_headers(window: Window) -> dict[str, str]:
    """Return OpenAI's headers for tokens."""
    return {
        "x-ratelimit-limit-tokens": str(window.limit),
        "x-ratelimit-remaining-tokens": str(window.remaining),
        "x-ratelimit-reset-tokens": window.resets_in,
    }


def ietf_fields(shares: Sequence[Share], windows: Sequence[Window]) -> dict[str, str]:
    """Return the fields of draft-ietf-httpapi-ratelimit-headers-11, an item for each window."""
    policies, states = [], []
    for share, window in zip(shares, windows, strict=True):
        if share.name == BUDGET:
            continue
        unit = "" if share.name == REQUESTS else f';qu="{share.name}"'
        policies.append(f'"{share.name}";q={window.limit}{unit};w={share.period_s}')
        states.append(f'"{share.name}";r={window.remaining};t={max(0, window.resets_in_s)}')
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}


_HEADERS: Mapping[str, Callable[[Window], dict[str, str]]] = MappingProxyType(
    {REQUESTS: rate_headers, TOKENS: token_headers, BUDGET: lambda _window: {}}
)
"""What a refusal tells of the window that was full; of money no header is known."""
