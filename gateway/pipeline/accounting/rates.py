"""What one bucket of a bill costs, and the sum of it: exact decimals, rounded once."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from gateway.schema.usage import Usage
from gateway.sdk.providers import Price

_NOTHING = Decimal(0)
_MICROS = 1_000_000
_EXACT = Context(prec=100)
"""Enough for any price that a float can say times any count."""
_MOST_MICROS = 2**63 - 1
"""What the ledger's column holds."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Millionths of a US dollar for one token, picture, second or call; None is not known.

    A dollar for a million tokens is a millionth for one.
    """

    input: Decimal | None
    cached_input: Decimal | None
    cache_write: Decimal | None
    output: Decimal | None
    reasoning: Decimal | None
    audio_in: Decimal | None
    audio_out: Decimal | None
    image: Decimal | None = None
    audio_second: Decimal | None = None
    request: Decimal = _NOTHING

    def micros(self, usage: Usage, *, images: int, audio_s: float) -> int | None:
        """Return the cost in whole millionths, halves rounded up; None if a rate is missing."""
        total = self.request
        for count, rate in (
            (usage.input_tokens, self.input),
            (usage.cached_input_tokens, self.cached_input),
            (usage.cache_write_tokens, self.cache_write),
            (usage.output_tokens, self.output),
            (usage.reasoning_tokens, self.reasoning),
            (usage.audio_in_tokens, self.audio_in),
            (usage.audio_out_tokens, self.audio_out),
            (images, self.image),
            (audio_s, self.audio_second),
        ):
            if not count:
                continue
            if rate is None:
                return None
            amount = _EXACT.multiply(Decimal(repr(count)), rate)
            total = _EXACT.add(total, amount)
        return min(int(total.to_integral_value(ROUND_HALF_UP, _EXACT)), _MOST_MICROS)


def rates_of(price: Price) -> Rates:
    """Return what a price of the configuration or of a card says."""

    def of(value: float | None, other: float, factor: int = 1) -> Decimal:
        # The shortest text of a float is what somebody wrote.
        return _EXACT.multiply(Decimal(repr(other if value is None else value)), Decimal(factor))

    return Rates(
        input=of(price.input, 0),
        cached_input=of(price.cached_input, price.input),
        cache_write=of(price.cache_write, price.input),
        output=of(price.output, 0),
        reasoning=of(price.reasoning, price.output),
        audio_in=of(price.audio_in, price.input),
        audio_out=of(price.audio_out, price.output),
        image=of(price.image, 0, _MICROS),
        audio_second=of(price.audio_second, 0, _MICROS),
        request=of(price.request, 0, _MICROS),
    )
