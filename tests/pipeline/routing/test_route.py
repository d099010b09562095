"""Names to targets."""

from collections.abc import AsyncGenerator

import pytest

from gateway.config.upstreams import Provider
from gateway.pipeline.attempts.gate import Gate
from gateway.pipeline.routing.candidates import candidates, dropped_knobs
from gateway.pipeline.routing.route import Route, Router
from gateway.pipeline.routing.target import Connected, Target, target_of
from gateway.schema.ask import Ask, Feature
from gateway.schema.chat import ChatRequest
from gateway.schema.events import StreamEvent, TextDelta
from gateway.schema.failure import CallError
from gateway.sdk import Attempt, ModelCard, Price


class Talks:
    """A provider that can chat."""

    async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        """Yield a word."""
        yield TextDelta(0, "word")


def target(model: str = "m", card: ModelCard | None = None, missing: str | None = None) -> Target:
    connected = Connected("p", "k", Talks(), Gate(Provider(kind="k")), missing)
    return target_of(connected, model, card or ModelCard())


def test_a_familys_members_have_cards_of_their_own() -> None:
    class Knows(Talks):
        def card(self, model: str) -> ModelCard:
            return ModelCard(tools=model == "up-able")

    connected = Connected("p", "k", Knows(), Gate(Provider(kind="k")))
    router = Router([Route("up-*", (target_of(connected, "*", ModelCard()),))])

    assert Feature.TOOLS in router.find("up-able").targets[0].features
    assert Feature.TOOLS not in router.find("up-other").targets[0].features


def test_priced_targets_are_not_for_those_who_may_not_cost_anything() -> None:
    gate = Gate(Provider(kind="k"))
    paid = Connected("p", "k", Talks(), gate, is_paid=True)
    silent = target_of(paid, "m", ModelCard())
    free = target_of(paid, "m", ModelCard(price=Price()))
    priced = target_of(Connected("q", "k", Talks(), gate), "m", ModelCard(price=Price(output=1)))
    route = Route("r", (silent, priced, free))

    assert candidates(route, ask()) == [silent, priced, free]
    assert candidates(route, ask(), may_cost=False) == [free]
    with pytest.raises(CallError, match="money") as refused:
        candidates(Route("r", (silent, priced)), ask(), may_cost=False)
    assert (refused.value.status, refused.value.code) == (403, "model_not_allowed")


def ask(**given: object) -> Ask:
    fields: dict[str, object] = {"dialect": "d", "model": "name", "translate": dict, **given}
    return Ask(**fields)  # type: ignore[arg-type] # the test's own names


def test_an_exact_name_wins_over_a_family_and_a_longer_stem_over_a_shorter() -> None:
    router = Router(
        [
            Route("gpt-*", (target("a"),)),
            Route("gpt-5*", (target("b"),)),
            Route("gpt-5x", (target("c"),)),
        ]
    )

    assert router.find("gpt-5x").targets[0].model == "c"
    assert router.find("gpt-5-mini").targets[0].model == "b"
    assert router.find("gpt-4").targets[0].model == "a"


def test_a_familys_star_is_the_whole_name_or_what_it_stands_for() -> None:
    router = Router([Route("up-*", (target("*"), target("vendor/*")))])

    assert [t.model for t in router.find("up-x").targets] == ["up-x", "vendor/x"]


def test_an_unknown_name_gets_the_nearest_ones() -> None:
    router = Router([Route("openai", (target(),), ("gpt",)), Route("mistral", (target(),))])

    with pytest.raises(CallError, match="did you mean openai") as refused:
        router.find("opnai")

    assert (refused.value.status, refused.value.details) == (404, {"nearest": ["openai"]})


def test_a_target_without_a_needed_feature_is_passed_over_and_named_when_none_has_it() -> None:
    deaf, able = target("deaf", ModelCard(tools=False)), target("able")
    wants_tools = ask(needs=frozenset({Feature.TEXT, Feature.TOOLS}))

    assert candidates(Route("r", (deaf, able)), wants_tools) == [able]
    with pytest.raises(CallError, match="tools") as refused:
        candidates(Route("r", (deaf,)), wants_tools)
    assert (refused.value.code, refused.value.param) == ("unsupported_feature", "tools")


def test_a_value_outside_a_targets_range_goes_elsewhere_else_names_that_range() -> None:
    narrow = target("narrow", ModelCard(ranges={"temperature": (0.0, 1.0)}))
    wide = target("wide")
    hot = ask(knobs={"temperature": 2.5})

    assert candidates(Route("r", (narrow, wide)), hot) == [wide]
    with pytest.raises(CallError, match="0 to 1") as refused:
        candidates(Route("r", (narrow,)), hot)
    assert refused.value.param == "temperature"


def test_a_provider_that_is_not_configured_is_skipped_and_named_when_none_is_left() -> None:
    keyless, ready = target(missing="its api_key is empty"), target()

    assert candidates(Route("r", (keyless, ready)), ask()) == [ready]
    with pytest.raises(CallError, match="its api_key is empty") as refused:
        candidates(Route("r", (keyless,)), ask())
    assert refused.value.code == "unavailable"


def test_knobs_that_a_target_lacks_are_named() -> None:
    plain = target(card=ModelCard(parameters=("temperature",)))

    assert dropped_knobs(plain, ask(knobs={"temperature": 1, "top_p": 1})) == ("top_p",)
    assert dropped_knobs(target(), ask(knobs={"top_p": 1})) == ()
