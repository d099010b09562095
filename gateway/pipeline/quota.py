"""Step 2: how much the caller may use."""

from datetime import UTC, datetime

from gateway.pipeline.call import Call, Services
from gateway.pipeline.plan import limits_of
from gateway.schema.failure import CallError
from gateway.state.counters import CONCURRENT, Demand, Refused, Share

REQUESTS = "requests"


async def take(call: Call, services: Services) -> None:
    """Count the call, or raise 429: the window is full, or too many are under way."""
    caller = call.caller
    if caller is None:
        msg = "identify comes first"
        raise RuntimeError(msg)
    limits = limits_of(caller, services.document)
    requests, period_s = limits.requests
    share = Share(REQUESTS, caller.key, 1, requests, period_s, period_s)
    taken = await services.counters.take(Demand(caller.key, limits.concurrent, (share,)))
    if not isinstance(taken, Refused):
        call.lease = taken
        return
    window = taken.window
    headers = rate_headers(window.limit, window.remaining, window.resets_at)
    if taken.name == CONCURRENT:
        raise CallError(
            "concurrency_limit_exceeded",
            f"{limits.concurrent} requests are under way already; wait for one to end",
            retry_after_s=1,
            headers=headers,
        )
    wait_s = max(1, window.resets_in_s)
    raise CallError(
        "rate_limit_exceeded",
        f"Rate limit of {requests} requests exceeded. Try again in {wait_s} seconds.",
        details={
            "reset_time": datetime.fromtimestamp(window.resets_at, UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            )
        },
        retry_after_s=wait_s,
        headers=headers,
    )


def rate_headers(limit: int, remaining: int, resets_at: int) -> dict[str, str]:
    """Return the published API's limit headers."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(resets_at),
    }
