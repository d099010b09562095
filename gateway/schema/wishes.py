"""What a caller wants of the choice who answers, in a request's own words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.schema.json import JsonObject

MAX_NAMES = 16
"""In one list: names are looked up, and unknown ones compared with all that are known."""
Sort = Literal["price", "latency", "throughput"]


@dataclass(frozen=True, slots=True)
class Wishes:
    """Checked for their form alone: whether the names are known, and open to the caller, is not.

    `order`, `only` and `ignore` name providers, or targets as `provider/model`.
    """

    said_in: str
    """The field that holds them, as errors name it: `dynagate` or `provider`."""
    models_field: str
    models: tuple[str, ...] = ()
    """More names of ours, asked in turn after the request's model."""
    order: tuple[str, ...] = ()
    """Who is asked first; the others follow."""
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    sort: Sort | None = None
    """The best first, in place of the strategy of the route."""
    is_across_models: bool = False
    """The sort is not for each model alone, but for the targets of all together."""
    max_price: Mapping[str, float] = field(default_factory=dict)
    """The most US dollars, by fields of `Price`."""
    max_price_fields: Mapping[str, str] = field(default_factory=dict)
    """What the caller calls them."""
    allows_fallbacks: bool = True
    """False: of each model only who is asked first, or who stands in `order`."""
    needs_parameters: bool = False
    """No target that would leave a knob of the request out."""
    ignored: tuple[str, ...] = ()
    """Fields of preferences that nobody here can keep."""


@dataclass(frozen=True, slots=True)
class Wished:
    """What a request says of routing: in our field, and in those that OpenRouter's API has.

    The latter are for an upstream that routes by itself, as they are; `read` says what they mean
    where none does, and raises `CallError`.
    """

    own: Wishes | None
    borrowed: JsonObject
    read: Callable[[JsonObject], Wishes]
