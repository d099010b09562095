"""What a model name of `kind: chaos` says is what happens."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from pydantic_core import from_json

from gateway.schema.chat import (
    ChatRequest,
    CompletionRequest,
    JsonFormat,
    Message,
    NamedTool,
    Sampling,
    TextPart,
    Tool,
)
from gateway.schema.events import Collected, Started, StreamEvent, collect
from gateway.schema.failure import Failure
from gateway.schema.usage import Usage
from gateway.sdk import (
    Attempt,
    CardSource,
    ChatProvider,
    CompletionProvider,
    ModelLister,
    UpstreamError,
)
from gateway_chaos import Chaos, ChaosSettings

ATTEMPT = Attempt("test", number=1, deadline=1000.0)
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("get_weather", parameters=CITY)


@pytest.fixture
def chaos() -> Chaos:
    return Chaos(ChaosSettings())


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record every wait of chaos above 0 instead of waiting."""
    waited: list[float] = []
    really_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds:
            waited.append(seconds)
        await really_sleep(0)

    monkeypatch.setattr("gateway_chaos.provider.asyncio.sleep", sleep)
    return waited


def asked(model: str, text: str = "one two three", **more: Any) -> ChatRequest:
    return ChatRequest(model, (Message("user", (TextPart(text),)),), **more)


async def heard(generation: AsyncGenerator[StreamEvent]) -> list[StreamEvent]:
    async with aclosing(generation) as events:
        return [event async for event in events]


async def answer(chaos: Chaos, request: ChatRequest | CompletionRequest) -> Collected:
    if isinstance(request, ChatRequest):
        return collect(await heard(chaos.chat(request, ATTEMPT)))
    return collect(await heard(chaos.complete(request, ATTEMPT)))


async def failure(chaos: Chaos, request: ChatRequest) -> tuple[UpstreamError, list[StreamEvent]]:
    """Return the error of a call and the events before it."""
    seen: list[StreamEvent] = []

    async def call() -> None:
        async with aclosing(chaos.chat(request, ATTEMPT)) as events:
            async for event in events:
                seen.append(event)  # noqa: PERF401 - those before the error count.

    with pytest.raises(UpstreamError) as caught:
        await call()
    return caught.value, seen


def test_it_offers_every_capability_it_documents(chaos: Chaos) -> None:
    provider: object = chaos

    assert isinstance(provider, ChatProvider)
    assert isinstance(provider, CompletionProvider)
    assert isinstance(provider, CardSource)
    assert isinstance(provider, ModelLister)


async def test_echo_is_the_last_user_turn_word_by_word(chaos: Chaos) -> None:
    events = await heard(chaos.chat(asked("echo", " a\n\nb  👩\u200d👧 "), ATTEMPT))

    assert events[0] == Started(model="echo")
    assert [event.text for event in events if hasattr(event, "text")] == [
        " a\n\n",
        "b  ",
        "👩\u200d👧 ",
    ]
    assert events[-1] == Usage(input_tokens=3, output_tokens=3)


async def test_a_name_without_content_echoes(chaos: Chaos) -> None:
    said = await answer(chaos, asked("gap:0s"))

    assert said.choices[0].text == "one two three"


async def test_echo_writes_json_or_calls_a_tool_where_the_request_demands_it(chaos: Chaos) -> None:
    written = await answer(chaos, asked("echo", response_format=JsonFormat(CITY)))
    called = await answer(chaos, asked("echo", tools=(WEATHER,), tool_choice="required"))
    named = await answer(
        chaos, asked("echo", tools=(WEATHER,), tool_choice=NamedTool("get_weather"))
    )
    plain = await answer(chaos, asked("echo", tools=(WEATHER,)))

    assert from_json(written.choices[0].text) == {"city": ""}
    assert called.choices[0].tool_calls[0].name == "get_weather"
    assert named.choices[0].tool_calls[0].name == "get_weather"
    assert plain.choices[0].text == "one two three"


async def test_echo_of_nothing_is_the_callers_fault(chaos: Chaos) -> None:
    error, _ = await failure(chaos, asked("echo", ""))

    assert error.failure is Failure.CALLER_FAULT
    assert error.param == "messages"


async def test_a_name_may_begin_with_the_family_it_came_by(chaos: Chaos) -> None:
    said = await answer(chaos, asked("chaos/say:chaos/x+usage:1/2"))

    assert said.choices[0].text == "chaos/x"
    assert said.started.model == "chaos/say:chaos/x+usage:1/2"


async def test_say_takes_percent_encoding(chaos: Chaos) -> None:
    said = await answer(chaos, asked("say:1%2B1%20%C5%BElu%C5%A5: @2"))

    assert said.choices[0].text == "1+1 žluť: @2"


async def test_words_are_the_same_for_the_same_seed_and_differ_between_choices(
    chaos: Chaos,
) -> None:
    def request(seed: int | None) -> ChatRequest:
        return asked("words:20", sampling=Sampling(seed=seed, n=2))

    first, again, other, unseeded = [await answer(chaos, request(seed)) for seed in (1, 1, 2, None)]
    configured = await answer(Chaos(ChaosSettings(seed=1)), request(None))

    assert len(first.choices[0].text.split()) == 20
    assert [choice.text for choice in first.choices] == [choice.text for choice in again.choices]
    assert [choice.text for choice in first.choices] == [
        choice.text for choice in configured.choices
    ]
    assert len({first.choices[0].text, first.choices[1].text, other.choices[0].text}) == 3
    assert unseeded.choices[0].text != first.choices[0].text


async def test_too_many_words_for_all_choices_are_refused(chaos: Chaos) -> None:
    error, _ = await failure(chaos, asked("words:100000", sampling=Sampling(n=2)))

    assert error.failure is Failure.CALLER_FAULT
    assert error.param == "n"


async def test_an_echo_is_bounded_too(chaos: Chaos) -> None:
    said = await answer(chaos, asked("echo", "w " * 100_001))

    assert len(said.choices[0].text.split()) == 100_000
    assert said.choices[0].finish == "length"


async def test_json_satisfies_the_schema_or_is_some_object(chaos: Chaos) -> None:
    fitting = await answer(chaos, asked("json", response_format=JsonFormat(CITY)))
    some = await answer(chaos, asked("json"))

    assert from_json(fitting.choices[0].text) == {"city": ""}
    assert from_json(some.choices[0].text) == {"ok": True}


async def test_json_for_a_schema_beyond_it_is_unsupported(chaos: Chaos) -> None:
    request = asked("json", response_format=JsonFormat({"type": "string", "pattern": "a"}))

    error, _ = await failure(chaos, request)

    assert error.failure is Failure.UNSUPPORTED
    assert error.param == "response_format"


async def test_tool_asks_for_the_named_or_first_tool_with_arguments_that_fit(chaos: Chaos) -> None:
    tools = (Tool("first"), WEATHER)

    first = (await answer(chaos, asked("tool", tools=tools))).choices[0]
    named = (await answer(chaos, asked("tool:get_weather", tools=tools))).choices[0]

    assert [call.name for call in first.tool_calls] == ["first"]
    assert from_json(first.tool_calls[0].arguments) == {}
    assert [call.name for call in named.tool_calls] == ["get_weather"]
    assert from_json(named.tool_calls[0].arguments) == {"city": ""}
    assert named.finish == "tool_calls"


async def test_tool_answers_with_the_result_once_it_has_come(chaos: Chaos) -> None:
    request = asked("tool", tools=(WEATHER,))
    result = Message("tool", (TextPart("it rains"),), tool_call_id="call_1_0")

    said = await answer(chaos, replace(request, messages=(*request.messages, result)))

    assert said.choices[0].text == "it rains"
    assert said.choices[0].tool_calls == []


@pytest.mark.parametrize("model", ["say:x", "words:3", "json", "echo", "tool"])
async def test_a_tool_that_is_demanded_is_called_whatever_the_name_says(
    chaos: Chaos, model: str
) -> None:
    said = await answer(chaos, asked(model, tools=(WEATHER,), tool_choice="required"))

    assert [call.name for call in said.choices[0].tool_calls] == ["get_weather"]


async def test_tool_echoes_where_the_request_forbids_tools(chaos: Chaos) -> None:
    said = await answer(chaos, asked("tool", tools=(WEATHER,), tool_choice="none"))

    assert said.choices[0].text == "one two three"


async def test_say_is_said_even_where_json_is_demanded(chaos: Chaos) -> None:
    said = await answer(chaos, asked('say:{"half', response_format=JsonFormat(CITY)))

    assert said.choices[0].text == '{"half'


async def test_a_tool_that_nobody_declared_is_the_callers_fault(chaos: Chaos) -> None:
    error, _ = await failure(chaos, asked("tool:other", tools=(WEATHER,)))

    assert error.failure is Failure.CALLER_FAULT
    assert "declared: get_weather" in error.message


async def test_the_ids_of_tool_calls_differ_between_turns_and_choices(chaos: Chaos) -> None:
    request = asked("tool", tools=(WEATHER,), sampling=Sampling(n=2))
    later = replace(request, messages=request.messages * 3)

    said = [await answer(chaos, request), await answer(chaos, later)]

    ids = [choice.tool_calls[0].id for each in said for choice in each.choices]
    assert len(set(ids)) == 4


async def test_refuse_empty_and_reasoning(chaos: Chaos) -> None:
    refused = (await answer(chaos, asked("refuse"))).choices[0]
    empty = (await answer(chaos, asked("empty"))).choices[0]
    reasoned = await answer(chaos, asked("reasoning+echo"))

    assert refused.refusal
    assert refused.text == ""
    assert (empty.text, empty.finish) == ("", "stop")
    assert reasoned.choices[0].reasoning
    assert reasoned.choices[0].text == "one two three"
    assert reasoned.usage is not None
    assert reasoned.usage.reasoning_tokens > 0
    assert reasoned.usage.output_tokens == 3


async def test_usage_can_be_told(chaos: Chaos) -> None:
    said = await answer(chaos, asked("usage:10/20"))

    assert said.usage == Usage(input_tokens=10, output_tokens=20)


@pytest.mark.parametrize(
    ("sampling", "text", "finish"),
    [
        (Sampling(max_output_tokens=2), "one two ", "length"),
        (Sampling(max_output_tokens=3), "one two three", "stop"),
        (Sampling(stop=("three", "two")), "one ", "stop"),
        (Sampling(stop=("four",)), "one two three", "stop"),
        (Sampling(stop=("three",), max_output_tokens=1), "one ", "length"),
    ],
)
async def test_the_token_limit_and_stop_sequences_are_kept(
    chaos: Chaos, sampling: Sampling, text: str, finish: str
) -> None:
    choice = (await answer(chaos, asked("echo", sampling=sampling))).choices[0]

    assert (choice.text, choice.finish) == (text, finish)


async def test_the_token_limit_counts_reasoning(chaos: Chaos) -> None:
    request = asked("reasoning+echo", sampling=Sampling(max_output_tokens=2))

    choice = (await answer(chaos, request)).choices[0]

    assert choice.reasoning
    assert (choice.text, choice.finish) == ("", "length")


async def test_choices_are_all_given(chaos: Chaos) -> None:
    said = await answer(chaos, asked("echo", sampling=Sampling(n=3)))

    assert [(choice.index, choice.text, choice.finish) for choice in said.choices] == [
        (index, "one two three", "stop") for index in range(3)
    ]


async def test_waits_are_as_long_as_the_name_says(chaos: Chaos, waits: list[float]) -> None:
    await answer(chaos, asked("delay:2s+first-token:1.5s+gap:100ms+echo"))

    assert waits == [2.0, 1.5, 0.1, 0.1]


@pytest.mark.parametrize(("model", "events_before"), [("hang", 1), ("hang@2", 3), ("hang@99", 4)])
async def test_hang_lasts_as_long_as_any_wait_may_and_is_a_timeout(
    chaos: Chaos, waits: list[float], model: str, events_before: int
) -> None:
    error, seen = await failure(chaos, asked(model))

    assert waits == [600.0]
    assert error.failure is Failure.TIMEOUT
    assert len(seen) == events_before


@pytest.mark.parametrize("name", Failure)
async def test_every_failure_can_be_asked_for(chaos: Chaos, name: Failure) -> None:
    error, seen = await failure(chaos, asked(f"fail:{name}+retry-after:9s"))

    assert error.failure is name
    assert error.retry_after == 9.0
    assert seen == []


async def test_a_failure_can_come_in_the_middle_or_instead_of_the_end(chaos: Chaos) -> None:
    _, at_once = await failure(chaos, asked("fail:transient@0"))
    _, middle = await failure(chaos, asked("fail:transient@2"))
    _, end = await failure(chaos, asked("fail:transient@50"))

    assert at_once == [Started(model="fail:transient@0")]
    assert [type(event).__name__ for event in middle] == ["Started", "TextDelta", "TextDelta"]
    assert len(end) == 4


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (400, Failure.CALLER_FAULT),
        (401, Failure.CREDENTIAL),
        (404, Failure.MODEL_GONE),
        (418, Failure.UNKNOWN),
        (429, Failure.RATE_LIMIT),
        (503, Failure.TRANSIENT),
        (504, Failure.TIMEOUT),
    ],
)
async def test_a_status_fails_as_it_would(chaos: Chaos, code: int, expected: Failure) -> None:
    error, _ = await failure(chaos, asked(f"status:{code}"))

    assert (error.failure, error.status) == (expected, code)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("flaky:3", Failure.TRANSIENT),
        ("flaky:3+fail:rate_limit", Failure.RATE_LIMIT),
        ("status:503+flaky:3", Failure.TRANSIENT),
        ("fail:timeout@1+flaky:3", Failure.TIMEOUT),
    ],
)
async def test_flaky_fails_each_so_many_calls(chaos: Chaos, model: str, expected: Failure) -> None:
    outcomes: list[str] = []
    for _ in range(6):
        try:
            await answer(chaos, asked(model))
            outcomes.append("answered")
        except UpstreamError as error:
            outcomes.append(error.failure)

    assert outcomes == ["answered", "answered", expected] * 2


async def test_counts_of_flaky_are_kept_by_name_for_the_latest_names_only(chaos: Chaos) -> None:
    await answer(chaos, asked("flaky:2"))
    for number in range(1024):
        await answer(chaos, asked(f"flaky:9+say:{number}"))

    said = await answer(chaos, asked("flaky:2"))

    assert said.choices[0].text == "one two three"


@pytest.mark.parametrize(
    "model",
    [
        "",
        "gpt-5",
        "echo+",
        "echo+say:x",
        "fail:transient+status:500",
        "say:",
        "say",
        "echo:x",
        "echo@3",
        "words:0",
        "words:100001",
        "words:9999999999999",
        "words:x",
        "words:٣",
        "delay:601s",
        "delay:2",
        "delay:-1s",
        "delay:2m",
        "fail",
        "fail:sometimes",
        "fail:transient@",
        "status:200",
        "flaky:1",
        "usage:10",
        "usage:a/b",
        "hang:3",
        "hang@x",
        "say:%FF",
    ],
)
async def test_a_name_that_means_nothing_is_a_model_that_is_not_there(
    chaos: Chaos, model: str
) -> None:
    error, seen = await failure(chaos, asked(model))

    assert error.failure is Failure.MODEL_GONE
    assert error.status == 404
    assert seen == []
    assert isinstance(chaos.card(model).description, str)


async def test_an_unknown_word_is_answered_with_all_words(chaos: Chaos) -> None:
    error, _ = await failure(chaos, asked("gpt-5"))

    assert "'gpt-5' is no word of chaos" in error.message
    assert "say:TEXT" in error.message
    assert "fail:CLASS or fail:CLASS@N" in error.message


async def test_completions_go_on_from_each_prompt(chaos: Chaos) -> None:
    request = CompletionRequest("echo", ("one two", "three"), Sampling(n=2), is_echoed=True)

    said = await answer(chaos, request)
    plain = await answer(chaos, replace(request, is_echoed=False))

    assert [choice.text for choice in said.choices] == ["one twoone two"] * 2 + ["threethree"] * 2
    assert [choice.text for choice in plain.choices] == ["one two"] * 2 + ["three"] * 2
    assert [choice.index for choice in plain.choices] == [0, 1, 2, 3]
    assert said.usage == Usage(input_tokens=3, output_tokens=6)


async def test_completions_take_the_other_words_too(chaos: Chaos) -> None:
    said = await answer(chaos, CompletionRequest("say:yes", ("p",)))
    words = await answer(chaos, CompletionRequest("words:4", ("p", "q")))
    nothing = await answer(chaos, CompletionRequest("empty", ("p",)))

    assert said.choices[0].text == "yes"
    assert [len(choice.text.split()) for choice in words.choices] == [4, 4]
    assert nothing.choices[0].text == ""


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (CompletionRequest("json", ("p",)), Failure.UNSUPPORTED),
        (CompletionRequest("tool", ("p",)), Failure.UNSUPPORTED),
        (CompletionRequest("refuse", ("p",)), Failure.UNSUPPORTED),
        (CompletionRequest("echo", ("p",), suffix="s"), Failure.UNSUPPORTED),
        (CompletionRequest("echo", ("",)), Failure.CALLER_FAULT),
        (CompletionRequest("what", ("p",)), Failure.MODEL_GONE),
    ],
)
async def test_completions_refuse_what_they_cannot_do(
    chaos: Chaos, request_: CompletionRequest, expected: Failure
) -> None:
    with pytest.raises(UpstreamError) as caught:
        await answer(chaos, request_)

    assert caught.value.failure is expected


def test_cards_claim_what_the_name_does(chaos: Chaos) -> None:
    echo, words = chaos.card("echo"), chaos.card("words:3")

    assert (echo.tools, echo.json_object, echo.json_schema) == (True, True, True)
    assert (words.tools, words.json_object, words.json_schema) == (True, False, False)
    assert chaos.card("reasoning+echo").reasoning is True
    assert echo.parameters == ("max_output_tokens", "n", "seed", "stop")
