"""The prices that `genai-prices` ships, as rates. It is imported when a table is made, not before.

Its own update over the network is never started.
"""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from gateway.pipeline.accounting.rates import Rates
from gateway.schema.usage import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

_SECONDS = 3600
_THOUSAND = 1000
_MICROS = 1_000_000


class PriceTable:
    """What models cost, by the provider's name in `genai-prices` and the model's at its host.

    Making one imports 0.3 s worth of modules: do it in a thread.
    """

    def __init__(self) -> None:
        import genai_prices  # noqa: PLC0415 - only those pay for it who need it.
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415

        self.version = f"genai-prices {genai_prices.__version__}"
        self._all = get_snapshot().providers
        self._providers = {provider.id: provider for provider in self._all}

    def find(self, provider: str, model: str) -> "ModelInfo | None":
        """Return the model, or None. Keep it: a look-up compares it with hundreds of patterns."""
        known = self._providers.get(provider)
        # Not by the snapshot's own functions, which keep every name they were ever asked for.
        return None if known is None else known.find_model(model, all_providers=self._all)


def listed_rates(model: "ModelInfo", usage: Usage, now: datetime) -> Rates:
    """Return what `model` costs at `now` for a request of that size; what is not listed is None."""
    prices = vars(model.get_prices(now))

    def of(*names: str) -> Decimal | None:
        """Return the first that is listed, of a tiered one the tier that the whole input is in."""
        found = next((prices[name] for name in names if prices.get(name) is not None), None)
        return None if found is None else _tier(found, usage.total_in)

    hour = of("input_audio_hours", "audio_hours")
    calls = of("requests_kcount")
    return Rates(
        input=of("input_mtok"),
        cached_input=of("cache_read_mtok", "input_mtok"),
        cache_write=of("cache_write_mtok", "input_mtok"),
        output=of("output_mtok", "output_image_mtok"),
        reasoning=of("output_reasoning_mtok", "output_mtok"),
        audio_in=of("input_audio_mtok", "input_mtok"),
        audio_out=of("output_audio_mtok", "output_mtok"),
        # No picture has a list price of its own: those whose tokens are told are paid by them.
        image=None if usage.total_out == 0 else Decimal(0),
        audio_second=None if hour is None else hour * _MICROS / _SECONDS,
        request=Decimal(0) if calls is None else calls * _MICROS / _THOUSAND,
    )


def _tier(price: Any, total_in: int) -> Decimal:  # Any: a Decimal, or the library's tiers of them.
    if isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if total_in > tier.start]
    return Decimal(reached[-1] if reached else price.base)
