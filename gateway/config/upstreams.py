"""Who answers: `providers` and `models`."""

from typing import Any, Literal

from pydantic import Field, SecretStr

from gateway.config.caching import ModelCache
from gateway.config.conditions import When
from gateway.config.guarding import Guards
from gateway.config.hedging import Hedge, Shadow
from gateway.config.section import RateField, Section
from gateway.config.transforms import Transforms
from gateway.sdk.providers import ModelCard

KEY_SETTING = "api_key"
"""What each of several keys stands for in the settings."""


class ProviderHttp(Section):
    """`providers.<name>.http`: how its upstream is reached."""

    proxy: str | None = None
    ca_file: str | None = None
    connect_s: float = Field(5.0, gt=0)
    connections: int = Field(256, ge=1)
    body_bytes: int = Field(16 * 1024 * 1024, ge=1024)


class Pace(Section):
    """`providers.<name>.pace`: how fast calls may start; the rest wait."""

    rate: RateField
    burst: int = Field(1, ge=1)


class Provider(Section):
    """`providers.<name>`: one upstream account or engine."""

    kind: str
    settings: dict[str, Any] = Field(default_factory=dict)  # Any: validated by its kind.
    keys: tuple[SecretStr, ...] = Field((), max_length=64)
    """In turn in place of `settings.api_key`; one that is empty is skipped."""
    concurrent: int = Field(64, ge=1)
    queue: int = Field(256, ge=0)
    pace: Pace | None = None
    http: ProviderHttp = ProviderHttp()

    def settings_by_key(self) -> dict[int, dict[str, Any]]:  # Any: as `settings`.
        """Return the settings for each key that is not empty, by its place in the file, from 1.

        Without any key they are number 0: as they are, or with an empty one if all are.
        """
        if not self.keys:
            return {0: self.settings}
        keys = [key.get_secret_value() for key in self.keys]
        by_key = {n: {**self.settings, KEY_SETTING: key} for n, key in enumerate(keys, 1) if key}
        return by_key or {0: {**self.settings, KEY_SETTING: ""}}


class Target(Section):
    """`models.<name>.targets[]`: a provider and its own name for the model.

    In a family of names (`stub-*`) the model `*` is the name as the caller wrote it.
    """

    provider: str
    model: str
    card: ModelCard = ModelCard()
    weight: float = Field(1.0, ge=0, le=1000)
    """Its share among the targets of its tier; with 0 it only stands in for others."""
    tier: int = Field(1, ge=1, le=16)
    """Those of a higher one are asked when all of the lower ones could not answer."""
    when: When | None = None
    """Which calls it is for; None is all."""


Strategy = Literal[
    "ordered",
    "weighted",
    "round_robin",
    "least_in_flight",
    "lowest_latency",
    "lowest_price",
    "sticky",
]


class Model(Section):
    """`models.<name>`: a name that callers use, and who answers it."""

    targets: tuple[Target, ...] = Field(min_length=1)
    strategy: Strategy = "ordered"
    """Which target of a tier is asked first; the others follow."""
    sticky_by: Literal["prompt", "caller"] = "prompt"
    transforms: Transforms | None = None
    guards: Guards | None = None
    stages: tuple[str, ...] = Field((), max_length=16)
    """What plugins bring: the request goes through them in this order, the answer back."""
    aliases: tuple[str, ...] = ()
    description: str | None = None
    hedge: Hedge | None = None
    cache: ModelCache | None = None
    """None: each request is answered anew."""
    shadow: Shadow | None = None
