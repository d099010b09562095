"""What calls cost: exact sums, and whose figure wins."""

import logging
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, cast

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.upstreams import Provider
from gateway.pipeline.accounting.price_table import PriceTable, listed_rates
from gateway.pipeline.accounting.prices import FREE, Cost, Prices, open_prices
from gateway.pipeline.accounting.rates import rates_of
from gateway.pipeline.attempts.gate import Gate
from gateway.pipeline.call import Call
from gateway.pipeline.routing.route import Route
from gateway.pipeline.routing.target import Connected, target_of
from gateway.schema.failure import CallError
from gateway.schema.usage import Usage
from gateway.sdk import ModelCard, Price
from gateway.testing.clock import ManualClock

NOW = datetime(2026, 11, 23, tzinfo=UTC)
BUCKETS = [field.name for field in fields(Usage) if field.name.endswith("_tokens")]
COUNTS = st.integers(0, 10**9)
DOLLARS = st.decimals(0, 1000, places=4).map(float)
ANY_USAGE = st.builds(Usage, **dict.fromkeys(BUCKETS, COUNTS))
ANY_PRICE = st.builds(
    Price,
    input=DOLLARS,
    output=DOLLARS,
    **dict.fromkeys(
        ["cached_input", "cache_write", "reasoning", "audio_in", "audio_out"], DOLLARS | st.none()
    ),
    **dict.fromkeys(["image", "audio_second", "request"], DOLLARS),
)
FALLBACKS = {
    "cached_input": "input",
    "cache_write": "input",
    "reasoning": "output",
    "audio_in": "input",
    "audio_out": "output",
}


@dataclass
class Used:
    """As much of a call as its price depends on."""

    target: Any
    usage: Usage | None = None
    images: int = 0
    audio_s: float = 0.0
    error: CallError | None = None
    is_aborted: bool = False
    route_name: str = "m"


def used(
    usage: Usage | None = None,
    *,
    price: Price | None = None,
    prices_of: str | None = None,
    model: str = "gpt-5-mini",
    is_paid: bool = True,
    **rest: Any,
) -> Call:
    """Return a call that was answered, at a target of which the configuration says `price`."""
    connected = Connected("up", "k", object(), Gate(Provider(kind="k")), is_paid=is_paid)
    card = ModelCard(price=price, prices_of=prices_of)
    return cast(Call, Used(target_of(connected, model, card), usage, **rest))


def prices(**kwargs: Any) -> Prices:
    """Return the prices of a gateway with the table of list prices."""
    return Prices(PriceTable(), ManualClock(), **kwargs)


def exact(price: Price, usage: Usage, images: int = 0, seconds: int = 0) -> Decimal:
    """Return the millionths of a dollar as a person would add them up, not rounded."""
    total = Decimal(repr(price.request)) * 1_000_000
    for name in BUCKETS:
        kind = name.removesuffix("_tokens")
        rate = getattr(price, kind)
        rate = getattr(price, FALLBACKS[kind]) if rate is None else rate
        total += getattr(usage, name) * Decimal(repr(rate))
    total += images * Decimal(repr(price.image)) * 1_000_000
    return total + seconds * Decimal(repr(price.audio_second)) * 1_000_000


@given(ANY_PRICE, ANY_USAGE, st.integers(0, 10), st.integers(0, 3600))
def test_a_cost_is_the_sum_over_the_buckets_rounded_once(
    price: Price, usage: Usage, images: int, seconds: int
) -> None:
    cost = Prices(None, ManualClock()).cost(
        used(usage, price=price, images=images, audio_s=float(seconds))
    )

    wanted = exact(price, usage, images, seconds).to_integral_value(ROUND_HALF_UP)
    assert cost == Cost(int(wanted), "config")


@given(ANY_PRICE, ANY_USAGE, COUNTS)
def test_cached_tokens_are_never_billed_twice(price: Price, usage: Usage, more: int) -> None:
    rates = rates_of(price.model_copy(update={"cached_input": 0.0}))

    with_more = replace(usage, cached_input_tokens=usage.cached_input_tokens + more)

    assert rates.micros(with_more, images=0, audio_s=0) == rates.micros(usage, images=0, audio_s=0)


def test_half_a_millionth_is_rounded_up() -> None:
    half = rates_of(Price(input=0.5))

    assert half.micros(Usage(input_tokens=1), images=0, audio_s=0) == 1
    assert half.micros(Usage(input_tokens=3), images=0, audio_s=0) == 2


@pytest.mark.parametrize("value", [-0.01, float("inf"), float("nan"), 1e7])
def test_a_price_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="cached_input"):
        Price(cached_input=value)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5-mini"),
        ("openai", "gpt-4o-audio-preview"),
        ("anthropic", "claude-sonnet-4-5"),
        ("google", "gemini-2.5-pro"),
        ("deepseek", "deepseek-chat"),
        ("x-ai", "grok-4-0709"),
    ],
)
@pytest.mark.parametrize("factor", [1, 1000])
def test_list_prices_come_to_what_their_own_library_says(
    provider: str, model: str, factor: int
) -> None:
    used_up = Usage(300, 200, 100, 70, 30, 11, 13)
    usage = sum((used_up for _ in range(factor)), Usage())
    listed = PriceTable().find(provider, model)
    theirs = calc_price(
        ListedUsage(
            input_tokens=usage.total_in,
            cache_read_tokens=usage.cached_input_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            input_audio_tokens=usage.audio_in_tokens,
            cache_audio_read_tokens=0,
            output_tokens=usage.total_out,
            output_reasoning_tokens=usage.reasoning_tokens,
            output_audio_tokens=usage.audio_out_tokens,
        ),
        model,
        provider_id=provider,
        genai_request_timestamp=NOW,
    )

    assert listed is not None
    ours = listed_rates(listed, usage, NOW).micros(usage, images=0, audio_s=0)

    assert ours == (theirs.total_price * 1_000_000).to_integral_value(ROUND_HALF_UP)


def test_a_providers_own_figure_wins_over_every_price() -> None:
    usage = Usage(input_tokens=1000, cost_usd_micros=7)

    cost = prices().cost(used(usage, price=Price(input=1), prices_of="openai"))

    assert cost == Cost(7, "upstream")


def test_a_configured_price_wins_over_the_list() -> None:
    usage = Usage(input_tokens=1_000_000)

    ours = prices().cost(used(usage, price=Price(input=9), prices_of="openai"))
    listed = prices().cost(used(usage, prices_of="openai"))

    assert ours == Cost(9_000_000, "config")
    assert listed.usd_micros not in {None, 9_000_000}
    assert listed.version.startswith("genai-prices 0.")


def test_local_models_are_free_and_so_is_what_was_not_answered() -> None:
    usage = Usage(input_tokens=5)
    failed = CallError("upstream_failed", "no")

    assert prices().cost(used(usage, is_paid=False)) == FREE
    assert prices().cost(used(error=failed, price=Price(request=1))) == FREE
    assert prices().cost(used(is_aborted=True, price=Price(request=1))) == FREE
    assert prices().cost(cast(Call, Used(None))) == FREE


def test_a_call_that_broke_off_costs_what_it_used() -> None:
    broken = CallError("upstream_failed", "no")

    cost = prices().cost(used(Usage(output_tokens=4), error=broken, price=Price(output=2)))

    assert cost == Cost(8, "config")


def test_aborted_calls_can_be_free() -> None:
    call = used(Usage(input_tokens=5), is_aborted=True, price=Price(input=1))

    assert prices(aborted="free").cost(call) == FREE
    assert prices().cost(call) == Cost(5, "config")


def test_what_the_list_does_not_price_costs_nobody_knows_what() -> None:
    picture = used(images=1, prices_of="openai", model="gpt-image-1")
    unknown = used(Usage(input_tokens=1), prices_of="openai", model="nobody's")
    nowhere = used(Usage(input_tokens=1))

    assert [prices().cost(call) for call in (picture, unknown, nowhere)] == [Cost(None, "")] * 3


def test_pictures_are_paid_by_their_tokens_where_those_are_told() -> None:
    usage = Usage(input_tokens=1000, output_tokens=1000)

    cost = prices().cost(used(usage, images=1, prices_of="openai", model="gpt-image-1"))

    assert cost.usd_micros is not None
    assert cost.usd_micros > 1000


def test_a_missing_price_is_said_once_with_the_line_to_write(
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = prices()

    with caplog.at_level(logging.WARNING, "dynagate.prices"):
        for model in ("one", "two", "two"):
            own.cost(used(Usage(input_tokens=1), model=model, route_name="up-*"))

    (line,) = caplog.messages
    assert "up/one" in line
    assert "models.up-*.targets[].card.price: {input: ..., output: ...}" in line


def test_names_that_callers_invent_are_not_kept_for_ever() -> None:
    own = prices()

    for number in range(3000):
        own.cost(used(Usage(input_tokens=1), prices_of="openai", model=f"gpt-nothing-{number}"))

    assert len(own._listed) <= 1024  # noqa: SLF001 - nothing else shows it.


async def test_the_table_is_loaded_for_paid_targets_without_a_price_alone() -> None:
    def route(price: Price | None, prices_of: str | None, *, is_paid: bool = True) -> Route:
        call = used(price=price, prices_of=prices_of, is_paid=is_paid)
        assert call.target is not None
        return Route("m", (call.target,))

    async def is_loaded(one: Route) -> bool:
        own = await open_prices([one], ManualClock(), "streamed")
        return own.table is not None

    assert await is_loaded(route(None, "openai"))
    assert not await is_loaded(route(Price(), "openai"))
    assert not await is_loaded(route(None, "openai", is_paid=False))
    assert not await is_loaded(route(None, None))
