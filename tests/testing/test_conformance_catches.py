"""Each check of the suite fails on a provider that is wrong in that way, and says what to do."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from gateway.schema.chat import ChatRequest
from gateway.schema.events import Finish, StreamEvent, TextDelta
from gateway.schema.failure import Failure
from gateway.sdk import Attempt, Deps, ListedModel, ModelCard, ProviderKind, UpstreamError
from gateway.testing.conformance import ChatConformance


class Settings(BaseModel):
    """Settings as they should be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: SecretStr = SecretStr("")


class Good:
    """A provider that does nothing wrong, for the wrong ones to differ from."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps

    async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
        """Say the last turn again."""
        for _ in range(3):
            await asyncio.sleep(0)
            yield TextDelta(0, request.messages[-1].text or "nothing")
        yield Finish(0, "stop")


class Suite(ChatConformance):
    """The suite on a provider made here."""

    kind = "made-here"
    patience_s = 5.0
    provider: Callable[[Deps], object] = Good
    settings_model: type[BaseModel] = Settings
    secrets: Callable[[Any], list[str]] = staticmethod(lambda _settings: [])

    def load_kind(self) -> ProviderKind:
        """Wrap the provider in a kind."""

        @asynccontextmanager
        async def connect(settings: BaseModel, deps: Deps) -> AsyncGenerator[object]:
            yield self.provider(deps)

        return ProviderKind("made-here", self.settings_model, connect, secrets=self.secrets)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    made = Suite()
    made.folder = tmp_path
    return made


async def failure_of(check: Awaitable[None]) -> str:
    with pytest.raises(pytest.fail.Exception) as caught:
        await check
    return str(caught.value)


async def test_a_good_provider_passes(suite: Suite) -> None:
    await suite.test_its_kind_is_found_and_speaks_this_api()
    await suite.test_its_settings_refuse_what_they_do_not_know()
    await suite.test_its_settings_are_frozen_and_survive_a_round_trip()
    await suite.test_its_settings_keep_their_secrets()
    await suite.test_it_connects_again_after_it_was_left()
    await suite.test_its_answer_is_legal(is_stream=True)
    await suite.test_it_takes_a_long_conversation()
    await suite.test_ten_calls_at_once_do_not_mix()
    await suite.test_a_closed_answer_frees_its_upstream()
    await suite.test_cancellation_passes_through()
    await suite.test_it_leaves_the_event_loop_free()
    await suite.test_it_leaves_no_task_behind()


async def test_another_name_than_the_entry_points_is_caught(suite: Suite) -> None:
    suite.kind = "other"  # type: ignore[misc]  # Set on this one suite.

    said = await failure_of(suite.test_its_kind_is_found_and_speaks_this_api())

    assert "'made-here', not 'other'" in said


async def test_settings_that_take_anything_are_caught(suite: Suite) -> None:
    class Loose(BaseModel):
        model_config = ConfigDict(extra="allow")

    suite.settings_model = Loose

    said = await failure_of(suite.test_its_settings_refuse_what_they_do_not_know())

    assert 'extra="forbid"' in said


async def test_settings_that_can_be_changed_are_caught(suite: Suite) -> None:
    class Changing(BaseModel):
        model_config = ConfigDict(extra="forbid")

    suite.settings_model = Changing

    said = await failure_of(suite.test_its_settings_are_frozen_and_survive_a_round_trip())

    assert "frozen=True" in said


async def test_a_secret_in_plain_sight_is_caught(suite: Suite) -> None:
    class Open(BaseModel):
        api_key: str = "sk-open"

    suite.settings_model = Open
    suite.secrets = lambda settings: [settings.api_key]

    said = await failure_of(suite.test_its_settings_keep_their_secrets())

    assert "use SecretStr" in said


async def test_an_illegal_answer_is_caught(suite: Suite) -> None:
    class Endless(Good):
        async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
            yield TextDelta(0, "no finish")

    suite.provider = Endless

    said = await failure_of(suite.test_its_answer_is_legal(is_stream=True))

    assert "choice 0 has 0 Finish" in said


async def test_a_provider_without_chat_is_caught(suite: Suite) -> None:
    suite.provider = lambda _deps: object()

    said = await failure_of(suite.test_its_answer_is_legal(is_stream=True))

    assert "has no method chat()" in said


async def test_calls_that_share_state_are_caught(suite: Suite) -> None:
    class Shared(Good):
        heard = ""

        async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
            self.heard = request.messages[-1].text
            await asyncio.sleep(0)
            yield TextDelta(0, self.heard)
            yield Finish(0, "stop")

    suite.provider = Shared

    said = await failure_of(suite.test_ten_calls_at_once_do_not_mix())

    assert "calls share state" in said


async def test_an_inner_generator_that_nobody_closes_is_caught(suite: Suite) -> None:
    class Delegating(Good):
        async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
            async for event in super().chat(request, attempt):
                yield event

    suite.provider = Delegating

    said = await failure_of(suite.test_a_closed_answer_frees_its_upstream())

    assert "Good.chat" in said
    assert "aclosing" in said


async def test_a_swallowed_cancellation_is_caught(suite: Suite) -> None:
    class Deaf(Good):
        async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                yield TextDelta(0, "never mind")
            yield TextDelta(0, "hello")
            yield Finish(0, "stop")

    suite.provider = Deaf

    said = await failure_of(suite.test_cancellation_passes_through())

    assert "let CancelledError pass" in said


async def test_a_cancellation_turned_into_an_error_is_caught(suite: Suite) -> None:
    class Converting(Good):
        async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                raise UpstreamError(Failure.TRANSIENT, "gone") from None
            yield TextDelta(0, "hello")
            yield Finish(0, "stop")

    suite.provider = Converting

    said = await failure_of(suite.test_cancellation_passes_through())

    assert "let CancelledError pass" in said


async def test_a_blocked_event_loop_is_caught(suite: Suite) -> None:
    class Blocking(Good):
        async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
            time.sleep(0.6)  # noqa: ASYNC251 - the fault that is to be found.
            yield TextDelta(0, "hello")
            yield Finish(0, "stop")

    suite.provider = Blocking

    said = await failure_of(suite.test_it_leaves_the_event_loop_free())

    assert "the event loop stood still" in said


async def test_a_task_that_outlives_the_connection_is_caught(suite: Suite) -> None:
    tasks: list[asyncio.Task[bool]] = []

    class Leaving(Good):
        async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
            tasks.append(asyncio.create_task(asyncio.Event().wait(), name="left-behind"))
            yield TextDelta(0, "hello")
            yield Finish(0, "stop")

    suite.provider = Leaving

    said = await failure_of(suite.test_it_leaves_no_task_behind())
    for task in tasks:
        task.cancel()

    assert "left-behind" in said
    assert "Deps.background" in said


async def test_background_work_is_not_a_leak(suite: Suite) -> None:
    class Tidy(Good):
        async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
            self.deps.background.start("poll", asyncio.sleep(3600))
            yield TextDelta(0, "hello")
            yield Finish(0, "stop")

    suite.provider = Tidy

    await suite.test_it_leaves_no_task_behind()


@pytest.mark.parametrize(
    ("card", "advice"),
    [
        (ModelCard(parameters=("warmth",)), "no fields of Sampling"),
        (ModelCard(ranges={"temperature": (2.0, 1.0)}), "ends before it begins"),
        (ModelCard(output_modalities=("image",)), "say so on the card"),
        ("a card", "card() returns str"),
    ],
)
async def test_a_card_that_makes_no_sense_is_caught(
    suite: Suite, card: object, advice: str
) -> None:
    class Carded(Good):
        def card(self, model: str) -> object:
            return card

    suite.provider = Carded

    said = await failure_of(suite.test_its_card_is_well_formed())

    assert advice in said


async def test_claims_that_are_not_kept_are_caught(suite: Suite) -> None:
    class Boasting(Good):
        def card(self, model: str) -> ModelCard:
            return ModelCard(tools=True, json_object=True, json_schema=True, parameters=("n",))

    suite.provider = Boasting

    tools = await failure_of(suite.test_it_calls_a_tool_that_is_required())
    written = await failure_of(suite.test_it_writes_the_json_it_is_asked_for(has_schema=True))
    choices = await failure_of(suite.test_it_gives_as_many_choices_as_asked())

    assert "get_weather was required" in tools
    assert "no JSON object" in written
    assert "choice 1 has 0 Finish" in choices


async def test_what_the_card_does_not_claim_is_skipped(suite: Suite) -> None:
    class Modest(Good):
        def card(self, model: str) -> ModelCard:
            return ModelCard()

    suite.provider = Modest

    with pytest.raises(pytest.skip.Exception, match="does not claim tools"):
        await suite.test_it_calls_a_tool_that_is_required()
    with pytest.raises(pytest.skip.Exception, match="does not list models"):
        await suite.test_it_lists_models()


async def test_a_list_that_names_a_model_twice_is_caught(suite: Suite) -> None:
    class Listing(Good):
        async def models(self) -> list[ListedModel]:
            return [ListedModel("a"), ListedModel("a")]

    suite.provider = Listing

    said = await failure_of(suite.test_it_lists_models())

    assert "ids repeat" in said


async def test_a_free_look_that_finds_fault_with_a_good_upstream_is_caught(suite: Suite) -> None:
    class Suspicious(Good):
        async def probe(self, model: str) -> None:
            raise UpstreamError(Failure.TRANSIENT, f"{model} looks bad")

    suite.provider = Suspicious

    said = await failure_of(suite.test_its_free_look_finds_nothing_wrong())

    assert "any looks bad" in said


async def test_a_free_look_that_fails_in_a_way_of_its_own_is_caught(suite: Suite) -> None:
    class Odd(Good):
        async def probe(self, model: str) -> None:
            raise ValueError(model)

    suite.provider = Odd
    suite.failing_model = "broken"  # type: ignore[misc]  # Set on this one suite.

    said = await failure_of(suite.test_its_free_look_fails_as_calls_do())

    assert "not ValueError" in said


async def test_failures_of_another_class_or_none_are_caught(suite: Suite) -> None:
    class Raising(Good):
        async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
            if request.model == "raises":
                raise ValueError(request.model)
            yield TextDelta(0, "hello")
            yield Finish(0, "stop")

    class Failing(Suite):
        failing_model: ClassVar[str | None] = "raises"
        provider = Raising

    class NotFailing(Failing):
        failing_model = "answers"

    for checked in (failing := Failing(), not_failing := NotFailing()):
        checked.folder = suite.folder

    raised = await failure_of(failing.test_its_failures_are_upstream_errors())
    answered = await failure_of(not_failing.test_its_failures_are_upstream_errors())

    assert "raise UpstreamError, not ValueError" in raised
    assert "was to fail, and did not" in answered


async def test_a_secret_in_an_error_is_caught(suite: Suite) -> None:
    class Leaking(Good):
        async def chat(self, request: ChatRequest, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
            raise UpstreamError(Failure.CREDENTIAL, "the key sk-leaked is wrong")
            yield

    class Leaky(Suite):
        failing_settings: ClassVar = {"api_key": "sk-leaked"}
        provider = Leaking
        secrets = staticmethod(lambda settings: [settings.api_key.get_secret_value()])

    leaky = Leaky()
    leaky.folder = suite.folder

    said = await failure_of(leaky.test_its_failures_are_upstream_errors())

    assert "the error shows a secret" in said


def test_a_plugin_that_does_not_load_fails_with_the_registrys_reason() -> None:
    class Missing(ChatConformance):
        kind = "missing"
        plugin = "no_such_module_at_all"

    class NotInstalled(ChatConformance):
        kind = "never-installed-kind"

    with pytest.raises(pytest.fail.Exception, match="does not load"):
        Missing().load_kind()
    with pytest.raises(pytest.fail.Exception, match="no plugin brings kind"):
        NotInstalled().load_kind()
