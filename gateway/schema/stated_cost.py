"""What an upstream says that a call cost."""

from decimal import ROUND_HALF_UP, Decimal

from gateway.schema.json import JsonObject

_MOST = 10**12
"""More is nonsense that no column holds."""
_TICKS_PER_MICRO = 10_000
"""xAI's tick is 1e-10 dollars."""


def stated_cost(usage: JsonObject) -> int | None:
    """Return the millionths of a dollar that a usage object of OpenAI's wires states, if it does.

    In the ways of OpenRouter, Perplexity and xAI (their pages on usage accounting and on cost
    tracking, 2026-11). With a key of one's own at OpenRouter `cost` is its fee, and the upstream's
    bill comes on top.
    """
    if "cost" not in usage and "cost_in_usd_ticks" not in usage:
        return None
    ticks = _amount(usage.get("cost_in_usd_ticks"))
    if ticks is not None:
        return _rounded(ticks / _TICKS_PER_MICRO)
    cost = usage.get("cost")
    dollars = _amount(cost.get("total_cost") if isinstance(cost, dict) else cost)
    if dollars is None:
        return None
    details = usage.get("cost_details")
    if usage.get("is_byok") is True and isinstance(details, dict):
        dollars += _amount(details.get("upstream_inference_cost")) or 0
    return _rounded(dollars * 1_000_000)


def _amount(value: object) -> Decimal | None:
    """Return a number that can be a cost: finite, not negative, no more than a bill can be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Decimal(repr(value)) if 0 <= value <= _MOST else None


def _rounded(micros: Decimal) -> int:
    return int(micros.quantize(Decimal(1), ROUND_HALF_UP))
