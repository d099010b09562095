"""What a request says of caches: its `Cache-Control` (RFC 9111, 5.2.1)."""

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

_DIGITS = 10


class Freshness(NamedTuple):
    """Which kept answers a caller takes, and whether its own may be kept."""

    may_store: bool = True
    """False after `no-store`."""
    most_age_s: float = inf
    """How old an answer may be; `no-cache` and `max-age=0` want a new one."""
    least_left_s: float = 0.0
    """For how long it has to be good still, `min-fresh`."""

    @property
    def may_read(self) -> bool:
        """Whether any kept answer will do."""
        return self.may_store and self.most_age_s > 0


ANY = Freshness()


def freshness_of(headers: Mapping[str, str] | None) -> Freshness:
    """Return what the headers of a request want; what makes no sense there wants a new answer."""
    if headers is None:
        return ANY
    said = headers.get("Cache-Control")
    if said is None:
        # What HTTP/1.0 had for it counts where nothing else is said.
        is_new = "no-cache" in headers.get("Pragma", "").lower()
        return Freshness(most_age_s=0) if is_new else ANY
    may_store, most_age_s, least_left_s = True, inf, 0.0
    for directive in said.lower().split(","):
        name, _, value = directive.strip().partition("=")
        match name.strip():
            case "no-store":
                may_store = False
            case "no-cache":
                most_age_s = 0
            case "max-age":
                most_age_s = min(most_age_s, _seconds(value, otherwise=0))
            case "min-fresh":
                least_left_s = max(least_left_s, _seconds(value, otherwise=inf))
            case _:  # Unknown ones are to be ignored.
                pass
    return Freshness(may_store, most_age_s, least_left_s)


def _seconds(value: str, *, otherwise: float) -> float:
    digits = value.strip().strip('"')
    if not (digits.isascii() and digits.isdigit()):
        return otherwise
    return float(digits[:_DIGITS]) if len(digits) <= _DIGITS else inf
