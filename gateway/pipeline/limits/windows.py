"""The windows that a caller's calls are counted in, as the configuration has them."""

import math
from datetime import datetime, timedelta

from gateway.config.callers import AnonymousLimits, Budget, Plan
from gateway.sdk.providers import Clock
from gateway.state.counters import Share

REQUESTS, TOKENS, BUDGET = "requests", "tokens", "budget"
"""Calls, tokens, and millionths of a US dollar."""
_EVERYBODY = "anonymous"
_DAY_S = 86_400
_MONTH_S = 31 * _DAY_S
_MICROS = 1_000_000


def windows_of(
    key: str, limits: AnonymousLimits | Plan, clock: Clock, *, calls: int = 0
) -> tuple[Share, ...]:
    """Return the windows of a caller that is counted as `key`, requests first.

    So many `calls` are taken of that one, and nothing of the others.
    """
    count, period_s = limits.requests
    requests = Share(REQUESTS, key, calls, count, period_s, period_s)
    has_tokens = isinstance(limits, Plan) and limits.tokens is not None
    if not has_tokens and limits.budget is None:
        return (requests,)
    shares = [requests]
    if isinstance(limits, Plan) and limits.tokens is not None:
        shares.append(Share(TOKENS, f"tokens:{key}", 0, *limits.tokens, limits.tokens.period_s))
    if limits.budget is not None:
        payer = key if isinstance(limits, Plan) else _EVERYBODY
        shares.append(_budget(payer, limits.budget, clock.now()))
    return tuple(shares)


def dollars(micros: int) -> str:
    """Return millionths of a dollar as people write them: `$0.0005`."""
    return f"${micros / _MICROS:.6f}".rstrip("0").rstrip(".")


def _budget(payer: str, budget: Budget, now: datetime) -> Share:
    """Return the window of a budget, which ends with the day or month of UTC."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    period_s, ends = _DAY_S, today + timedelta(days=1)
    if budget.per == "month":
        # The 28th is in every month, and four days later is the next one.
        period_s, ends = _MONTH_S, (today.replace(day=28) + timedelta(days=4)).replace(day=1)
    lasts_s = max(1, math.ceil((ends - now).total_seconds()))
    return Share(BUDGET, f"budget:{payer}", 0, round(budget.usd * _MICROS), period_s, lasts_s)
