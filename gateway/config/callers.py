"""Who may call, and how much: `auth`, `limits` and `plans`."""

from typing import Literal

from pydantic import Field

from gateway.config.section import Rate, RateField, Section


class Auth(Section):
    """`auth`: who may call. `open_to: world` is needed for `open` on any bind but loopback."""

    mode: Literal["open", "keys"] = "open"
    open_to: Literal["loopback", "world"] = "loopback"


class AnonymousLimits(Section):
    """`limits.anonymous`: for each client address (IPv6: its /64)."""

    requests: RateField = Rate(100, 3600)
    concurrent: int = Field(10, ge=1)


class Limits(Section):
    """`limits`: what callers may use."""

    anonymous: AnonymousLimits = AnonymousLimits()
    tracked_callers: int = Field(100_000, ge=100)
    """How many callers' windows are held; past it the one that ends soonest makes room."""


class Plan(Section):
    """`plans.<name>`: what callers with a key of that plan may use, each key for itself."""

    requests: RateField = Rate(1000, 3600)
    concurrent: int = Field(20, ge=1)
    models: tuple[str, ...] | None = None
    """Names and families of `models`; None is all."""
    max_output_tokens: int | None = Field(None, ge=1)
    private: bool = False
    feed: bool = False
    """What is generated on the GET API may appear in the public feeds."""
