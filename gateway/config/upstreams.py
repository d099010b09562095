"""Who answers: `providers` and `models`."""

from typing import Any

from pydantic import Field

from gateway.config.section import RateField, Section
from gateway.sdk.providers import ModelCard


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
    concurrent: int = Field(64, ge=1)
    queue: int = Field(256, ge=0)
    pace: Pace | None = None
    http: ProviderHttp = ProviderHttp()


class Target(Section):
    """`models.<name>.targets[]`: a provider and its own name for the model.

    In a family of names (`stub-*`) the model `*` is the name as the caller wrote it.
    """

    provider: str
    model: str
    card: ModelCard = ModelCard()


class Model(Section):
    """`models.<name>`: a name that callers use, and who answers it, in order."""

    targets: tuple[Target, ...] = Field(min_length=1)
    aliases: tuple[str, ...] = ()
    description: str | None = None
