"""The windows that a caller's calls are counted in, as the configuration has them."""

from gateway.config.callers import AnonymousLimits, Plan
from gateway.sdk.providers import Clock
from gateway.state.counters import Share

REQUESTS, TOKENS = "requests", "tokens"


def windows_of(key: str, limits: AnonymousLimits | Plan, clock: Clock) -> tuple[Share, ...]:
    """Return the windows of a caller that is counted as `key`, requests first; none is taken of."""
    shares = [Share(REQUESTS, key, 0, *limits.requests, limits.requests.period_s)]
    if isinstance(limits, Plan) and limits.tokens is not None:
        shares.append(Share(TOKENS, f"tokens:{key}", 0, *limits.tokens, limits.tokens.period_s))
    return tuple(shares)
