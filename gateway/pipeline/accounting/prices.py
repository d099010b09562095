"""What a call cost, by the first that says: its upstream, a card, the table of list prices."""

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from gateway.pipeline.accounting.price_table import PriceTable, listed_rates
from gateway.pipeline.accounting.rates import Rates, rates_of
from gateway.pipeline.routing.route import Route
from gateway.pipeline.routing.target import Target
from gateway.schema.usage import Usage
from gateway.sdk.providers import Clock, Price

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

    from gateway.pipeline.call import Call

_log = logging.getLogger("dynagate.prices")
_MOST_KEPT = 1024
"""Callers choose the names of a family's models, so that there is no end to them."""
CONFIG, UPSTREAM = "config", "upstream"
_K = TypeVar("_K")
_V = TypeVar("_V")


class Cost(NamedTuple):
    """Millionths of a US dollar, None where nobody knows, and which prices they come from."""

    usd_micros: int | None
    version: str


FREE = Cost(0, "")
_NOTHING = Price()


class Prices:
    """What calls cost. `table` is None where no target needs it.

    `said` is what the prices before these have said.
    """

    def __init__(
        self,
        table: PriceTable | None,
        clock: Clock,
        aborted: Literal["streamed", "estimate", "free"] = "streamed",
        *,
        said: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.table = table
        self._clock = clock
        self._are_aborted_free = aborted == "free"
        self._rates: dict[Price, Rates] = {}
        self._listed: dict[tuple[str, str], ModelInfo | None] = {}
        self.said = set(said)
        """Lines that are missing in the configuration, and were named."""

    def cost(self, call: "Call") -> Cost:
        """Return what a call cost whose usage is settled; what used nothing is free."""
        target, usage = call.target, call.usage
        if target is None or not (_is_used(call) or _is_answered(call)):
            return FREE
        if call.is_aborted and self._are_aborted_free:
            return FREE
        if usage is not None and usage.cost_usd_micros is not None:
            return Cost(usage.cost_usd_micros, UPSTREAM)
        price = target.card.price
        if price is not None:
            version = UPSTREAM if target.configured.price is None else CONFIG
            return Cost(_micros(self._rates_of(price), call), version)
        return self._list_cost(target, call) if target.connected.is_paid else FREE

    def most(
        self, target: Target, usage: Usage, *, images: int = 0, audio_s: float = 0.0
    ) -> int | None:
        """Return what so much of `target` costs, in millionths of a US dollar; None: not known."""
        rates = self.rates(target, usage)
        return None if rates is None else rates.micros(usage, images=images, audio_s=audio_s)

    def rates(self, target: Target, usage: Usage) -> Rates | None:
        """Return what one of each costs at `target` for a request of that size; None: unknown."""
        price = target.card.price
        if price is not None:
            return self._rates_of(price)
        if not target.connected.is_paid:
            return self._rates_of(_NOTHING)
        listed = self._find(target)
        return None if listed is None else listed_rates(listed, usage, self._clock.now())

    def _list_cost(self, target: Target, call: "Call") -> Cost:
        listed = self._find(target)
        if listed is not None and self.table is not None:
            rates = listed_rates(listed, call.usage or Usage(), self._clock.now())
            # Nothing that was counted is not the same as nothing to pay.
            micros = _micros(rates, call) if _is_used(call) or rates.request else None
            if micros is not None:
                return Cost(micros, self.table.version)
        self._say(call.route_name, target)
        return Cost(None, "")

    def check(self, routes: Iterable[Route]) -> None:
        """Say which targets of fixed names have no price, before anybody calls them.

        The first look-up at a provider compiles its patterns, 10 ms of them: so `*` is looked up,
        too.
        """
        for route in routes:
            for target in route.targets:
                is_unknown = needs_table(target) and self._find(target) is None
                if is_unknown and "*" not in target.model:
                    self._say(route.name, target)

    def _rates_of(self, price: Price) -> Rates:
        rates = self._rates.get(price)
        if rates is None:
            rates = _kept(self._rates, price, rates_of(price))
        return rates

    def _find(self, target: Target) -> "ModelInfo | None":
        provider = target.card.prices_of
        if self.table is None or provider is None:
            return None
        key = (provider, target.model)
        if key not in self._listed:
            _kept(self._listed, key, self.table.find(*key))
        return self._listed[key]

    def _say(self, route: str, target: Target) -> None:
        """Name the line that is missing in the configuration, once for each."""
        line = (route, target.connected.name)
        if line in self.said:
            return
        self.said.add(line)
        _log.warning(
            "what %s costs is not known: its calls are kept without a cost; write "
            "models.%s.targets[].card.price: {input: ..., output: ...}, in US dollars for a "
            "million tokens",
            target.name,
            route,
        )


async def open_prices(
    routes: Iterable[Route],
    clock: Clock,
    aborted: Literal["streamed", "estimate", "free"],
    before: Prices | None = None,
) -> Prices:
    """Return the prices of all targets; the table is loaded if one of them needs it.

    After a reload `before` has it, and knows what has been said.
    """
    routes = tuple(routes)
    is_needed = any(
        needs_table(target) and target.card.prices_of is not None
        for route in routes
        for target in route.targets
    )
    # A third of a second of imports, during which nothing else of the start should stand still.
    table = None if before is None else before.table
    if table is None and is_needed:
        table = await asyncio.to_thread(PriceTable)
    lines = {(route.name, target.connected.name) for route in routes for target in route.targets}
    said = () if before is None else lines & before.said
    prices = Prices(table, clock, aborted, said=said)
    await asyncio.to_thread(prices.check, routes)
    return prices


def needs_table(target: Target) -> bool:
    """Say whether calls to `target` cost something that nobody has said."""
    connected = target.connected
    return connected.missing is None and connected.is_paid and target.card.price is None


def _is_used(call: "Call") -> bool:
    return call.usage is not None or call.images > 0 or call.audio_s > 0


def _is_answered(call: "Call") -> bool:
    return call.error is None and not call.is_aborted


def _micros(rates: Rates, call: "Call") -> int | None:
    return rates.micros(call.usage or Usage(), images=call.images, audio_s=call.audio_s)


def _kept(kept: dict[_K, _V], key: _K, value: _V) -> _V:
    if len(kept) >= _MOST_KEPT:
        kept.clear()
    kept[key] = value
    return value
