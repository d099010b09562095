"""How the caller with a key stands: what its plan allows, and what of that is used."""

from gateway.config.document import Document
from gateway.pipeline.limits.plan import plan_of
from gateway.pipeline.limits.windows import BUDGET, windows_of
from gateway.schema.json import JsonObject
from gateway.sdk.providers import Clock
from gateway.state.counters import Counters, Demand, Standing
from gateway.state.key_fields import moment_text
from gateway.state.keys import Key

COST = "cost_usd_micros"
"""What a budget's window counts, by the name that it has in the ledger."""


async def standing_of(key: Key, document: Document, counters: Counters, clock: Clock) -> JsonObject:
    """Return it as the counters have it now; nothing is counted."""
    return told(key, document, clock, await counters.look(demand_of_key(key, document, clock)))


def demand_of_key(key: Key, document: Document, clock: Clock) -> Demand:
    """Return the windows that calls with `key` are counted in, with nothing taken of them."""
    plan = plan_of(key, document)
    return Demand(key.counted_as, plan.concurrent, windows_of(key.counted_as, plan, clock))


def told(
    key: Key, document: Document, clock: Clock, standing: Standing, *, is_live: bool = True
) -> JsonObject:
    """Return it for JSON.

    `is_live` says whether the counters themselves said it: what was kept of them is a second old,
    and knows of no calls in flight.
    """
    plan, demand = plan_of(key, document), demand_of_key(key, document, clock)
    windows = [
        {
            "counts": COST if share.name == BUDGET else share.name,
            "limit": share.limit,
            "period_s": share.period_s,
            "used": window.used,
            "remaining": max(0, share.limit - window.used),
            "resets_at": moment_text(window.resets_at),
        }
        for share, window in zip(demand.shares, standing.windows, strict=True)
    ]
    in_flight = standing.in_flight if is_live else None
    return {
        "id": key.id,
        "plan": key.plan,
        "allows": plan.model_dump(mode="json"),
        "windows": windows,
        "concurrent": {"limit": demand.concurrent, "in_flight": in_flight},
        "is_live": is_live,
    }
