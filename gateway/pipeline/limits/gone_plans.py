"""Keys whose plan the configuration has no more: they go on, on another plan."""

from collections import Counter
from collections.abc import Iterable

from gateway.config.document import Document
from gateway.state.key_fields import DEFAULT_PLAN
from gateway.state.keys import Key


def is_gone(key: Key, document: Document) -> bool:
    """Say whether the key's plan is not in the file; `default` need not be."""
    return key.plan != DEFAULT_PLAN and key.plan not in document.plans


def gone_plans(keys: Iterable[Key], document: Document, *, now: float) -> list[str]:
    """Return a sentence for each plan that is gone and has keys that are valid at `now`.

    `now` is Unix time in seconds.
    """
    counts = Counter(key.plan for key in keys if key.is_valid(now) and is_gone(key, document))
    instead = f"plans.{DEFAULT_PLAN}" if DEFAULT_PLAN in document.plans else "limits.anonymous"
    return [
        f"plans.{plan} is not in the configuration: {_keys(count)} of it "
        f"{'has' if count == 1 else 'have'} what {instead} allows"
        for plan, count in sorted(counts.items())
    ]


def _keys(count: int) -> str:
    return "1 key" if count == 1 else f"{count} keys"
