"""Who may call, and how much: `auth`, `limits` and `plans`."""

from typing import Literal

from pydantic import Field

from gateway.config.section import Rate, RateField, Section


class Auth(Section):
    """`auth`: who may call. `open_to: world` is needed for `open` on any bind but loopback."""

    mode: Literal["open", "keys"] = "open"
    open_to: Literal["loopback", "world"] = "loopback"


class Budget(Section):
    """`budget`: what calls may cost in a day or month of UTC."""

    usd: float = Field(gt=0, le=1_000_000)
    per: Literal["day", "month"] = "month"


class AnonymousLimits(Section):
    """`limits.anonymous`: for each client address (IPv6: its /64)."""

    requests: RateField = Rate(100, 3600)
    concurrent: int = Field(10, ge=1)
    budget: Budget | None = None
    """Of all anonymous callers together; with one they may reach targets that cost money."""


class Limits(Section):
    """`limits`: what callers may use."""

    anonymous: AnonymousLimits = AnonymousLimits()
    tracked_callers: int = Field(100_000, ge=100)
    """How many callers' windows are held; past it the one that ends soonest makes room."""
    wait_s: float = Field(0.0, ge=0, le=300)
    """How long a call may wait for what would refuse it to be free."""
    waiting: int = Field(10, ge=1)
    """Calls of one caller that may wait; one more is refused at once."""
    ietf_fields: bool = False
    """Answers also carry `RateLimit` and `RateLimit-Policy`, of which there is but a draft."""


class Plan(Section):
    """`plans.<name>`: what callers with a key of that plan may use, each key for itself."""

    requests: RateField = Rate(1000, 3600)
    concurrent: int = Field(20, ge=1)
    tokens: RateField | None = None
    """Tokens read and written, for example 100000/minute; None is no limit."""
    models: tuple[str, ...] | None = None
    """Names and families of `models`; None is all."""
    max_output_tokens: int | None = Field(None, ge=1)
    """Of all answers of one call together."""
    budget: Budget | None = None
    priority: int = Field(0, ge=-100, le=100)
    """Of those who wait for a place at a provider, the higher goes first."""
    private: bool = False
    feed: bool = False
    """What is generated on the GET API may appear in the public feeds."""
