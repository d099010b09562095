"""The suite that every chat provider passes.

    from gateway.testing.conformance import ChatConformance

    class TestEcho(ChatConformance):
        kind = "echo"

pytest (with pytest-asyncio) collects the tests with the class. What a provider does not claim, by
its card or by the attributes of the class, is skipped.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import fields, replace

import pytest
from pydantic_core import from_json

from gateway.schema.chat import JsonFormat, Message, Sampling, TextPart, Tool, ToolCall
from gateway.schema.events import collect
from gateway.sdk import ListedModel, ModelLister, UpstreamError
from gateway.testing.kind_conformance import KindConformance
from gateway.testing.leaks import BEAT_S, Heartbeat, Tasks, forgotten_generators
from gateway.testing.provider_under_test import require, skip_unless

_TEXTS = {
    "accents and scripts": "Zażółć gęślą jaźń, 你好, שלום, नमस्ते",
    "emoji": "👩\u200d👩\u200d👧 and 🏳️\u200d🌈 and 🇵🇱",
    "line breaks": "first\nsecond\r\nthird\n\n\tfourth",
    "frame syntax": 'data: [DONE]\n\nevent: error\ndata: {"error": 1}\n\n',
}
_OBJECT_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
_TOOL = Tool(name="get_weather", description="The weather of a city.", parameters=_OBJECT_SCHEMA)
_TURNS_BEFORE_CANCEL = (0, 1, 2, 3, 5, 8, 13, 21, 34, 55)
_MAX_MISSED_BEATS = 25


class ChatConformance(KindConformance):
    """Inherit as `Test…`, set `kind`, and what else your provider needs."""

    async def test_it_connects_again_after_it_was_left(self) -> None:
        """Configurations are reloaded, and the next one opens before the last one closes."""
        for _ in range(2):
            async with self.connected() as first, self.connected() as second:
                self.require_legal(await first.whole(self.ask("Hello")))
                self.require_legal(await second.whole(self.ask("Hello")))

    @pytest.mark.parametrize("is_stream", [True, False], ids=["streamed", "whole"])
    async def test_its_answer_is_legal(self, is_stream: bool) -> None:
        """Events come in the order of gateway.schema.events, whether or not the caller streams."""
        async with self.connected() as caller:
            events = await caller.whole(self.ask("Say hello."), is_stream=is_stream)

        self.require_legal(events)

    @pytest.mark.parametrize("text", _TEXTS.values(), ids=_TEXTS.keys())
    async def test_it_takes_any_text(self, text: str) -> None:
        """Words of any script and shape are data."""
        async with self.connected() as caller:
            events = await caller.whole(self.ask(text))

        self.require_legal(events)

    async def test_it_takes_a_long_conversation(self) -> None:
        """Every role may appear, turns with a name, and calls of tools with their results."""
        call = ToolCall(id="call_1", name="get_weather", arguments='{"city": "Oslo"}')
        request = replace(
            self.ask(""),
            messages=(
                Message("system", (TextPart("Be brief."),)),
                Message("user", (TextPart("What is the weather"), TextPart("in Oslo?"))),
                Message("assistant", tool_calls=(call,)),
                Message("tool", (TextPart("rain"),), tool_call_id="call_1"),
                Message("assistant", (TextPart("It rains."),)),
                Message("user", (TextPart("Thank you."),), name="ada"),
            ),
        )

        async with self.connected() as caller:
            events = await caller.whole(request)

        self.require_legal(events)

    @pytest.mark.parametrize("text", ["", " ", "."], ids=["empty", "blank", "full stop"])
    async def test_it_answers_or_refuses_a_turn_without_words(self, text: str) -> None:
        """Nothing said is answered, or refused with an `UpstreamError`; never an empty answer."""
        async with self.connected() as caller:
            try:
                events = await caller.whole(self.ask(text))
            except UpstreamError:
                return

        self.require_legal(events)

    async def test_ten_calls_at_once_do_not_mix(self) -> None:
        """State belongs to a call, not to the provider."""
        marks = [f"K{number}Q7{number}X" for number in range(10)]

        async with self.connected() as caller, asyncio.TaskGroup() as group:
            calls = [
                group.create_task(caller.whole(self.ask(f"Repeat the code {mark}")))
                for mark in marks
            ]

        for mark, call in zip(marks, calls, strict=True):
            events = call.result()
            self.require_legal(events)
            text = collect(events).choices[0].text
            strange = [other for other in marks if other != mark and other in text]
            require(not strange, f"the answer to {mark} holds {strange}: calls share state")

    async def test_a_closed_answer_frees_its_upstream(self) -> None:
        """A caller who hangs up stops the generation then and there, in the task that closes it."""
        async with self.connected() as caller:
            with forgotten_generators() as forgotten:
                for _ in range(5):
                    await caller.first(self.ask("Count to a hundred."))
            events = await caller.whole(self.ask("Say hello."))

        self.require_legal(events)
        require(
            not forgotten,
            f"closing chat() leaves {sorted(set(forgotten))} open: "
            "write `async with aclosing(inner) as events:` around each inner async generator",
        )

    async def test_cancellation_passes_through(self) -> None:
        """A cancelled call ends as cancelled, wherever it was; nobody swallows `CancelledError`."""
        request = self.ask("Count to a hundred.")

        async with self.connected() as caller:
            for turns in _TURNS_BEFORE_CANCEL:
                task = asyncio.get_running_loop().create_task(caller.whole(request))
                for _ in range(turns):
                    await asyncio.sleep(0)
                is_running = task.cancel()
                await asyncio.wait([task], timeout=self.patience_s)
                require(task.done(), "a cancelled call goes on: catch no CancelledError")
                error = None if task.cancelled() else task.exception()
                require(
                    task.cancelled() or not is_running,
                    f"a cancelled call ended with {error!r}: let CancelledError pass, and use"
                    " `finally` to tidy up",
                )
            events = await caller.whole(self.ask("Say hello."))

        self.require_legal(events)

    async def test_it_leaves_the_event_loop_free(self) -> None:
        """All callers share one event loop; blocking work belongs in a process of its own."""
        with Heartbeat() as heartbeat:
            async with self.connected() as caller:
                await caller.whole(self.ask("Say hello."))

        require(
            heartbeat.longest <= _MAX_MISSED_BEATS,
            f"the event loop stood still for about {heartbeat.longest * BEAT_S:.2f} s: no"
            " time.sleep, blocking client or long computation in connect() and chat()",
        )

    async def test_it_leaves_no_task_behind(self) -> None:
        """What a provider starts ends with its connection at the latest."""
        tasks = Tasks()

        async with self.connected() as caller:
            await caller.first(self.ask("Count to a hundred."))
            await caller.whole(self.ask("Say hello."))

        left = await tasks.left()
        require(not left, f"these tasks outlive the connection: {left}; use Deps.background")

    async def test_its_card_is_well_formed(self) -> None:
        """A card names real knobs with real ranges, and text among what comes out."""
        async with self.connected() as caller:
            card = self.card(caller)

        knobs = {knob.name for knob in fields(Sampling)}
        named = {*(card.parameters or ()), *(card.ranges or {})}
        require(named <= knobs, f"{sorted(named - knobs)} are no fields of Sampling")
        for name, (low, high) in (card.ranges or {}).items():
            require(low <= high, f"the range of {name} ends before it begins")
        spoken = card.output_modalities
        require(spoken is None or "text" in spoken, "chat() yields text: say so on the card")

    async def test_it_calls_a_tool_that_is_required(self) -> None:
        """A card that says `tools` means that a required tool is asked for."""
        async with self.connected() as caller:
            skip_unless(self.card(caller).tools, "the card does not claim tools")
            request = replace(
                self.ask("What is the weather in Oslo?"), tools=(_TOOL,), tool_choice="required"
            )
            events = await caller.whole(request)

        self.require_legal(events)
        names = [call.name for call in collect(events).choices[0].tool_calls]
        require(names[:1] == ["get_weather"], f"get_weather was required; asked for {names}")

    @pytest.mark.parametrize("has_schema", [False, True], ids=["any object", "a schema"])
    async def test_it_writes_the_json_it_is_asked_for(self, has_schema: bool) -> None:
        """A card that says `json_object` or `json_schema` means that the answer is one."""
        wanted = JsonFormat(schema=_OBJECT_SCHEMA if has_schema else None)
        async with self.connected() as caller:
            card = self.card(caller)
            claim = card.json_schema if has_schema else card.json_object
            skip_unless(claim, "the card does not claim this kind of JSON")
            ask = self.ask("Name the capital of Norway as a JSON object.")
            choice = "none" if ask.tools else ask.tool_choice
            events = await caller.whole(replace(ask, response_format=wanted, tool_choice=choice))

        self.require_legal(events)
        text = collect(events).choices[0].text
        try:
            found = from_json(text)
        except ValueError:
            found = None
        require(isinstance(found, dict), f"this is no JSON object: {text[:200]!r}")
        if has_schema:
            require(isinstance(found.get("city"), str), f"city is no string in {text[:200]!r}")

    async def test_it_gives_as_many_choices_as_asked(self) -> None:
        """A card that names `n` among its parameters means that two choices can be had."""
        async with self.connected() as caller:
            skip_unless("n" in (self.card(caller).parameters or ()), "the card does not name n")
            ask = self.ask("Say hello.")
            events = await caller.whole(replace(ask, sampling=replace(ask.sampling, n=2)))

        self.require_legal(events, choices=2)

    async def test_it_lists_models(self) -> None:
        """A lister returns each model once."""
        async with self.connected() as caller:
            provider: object = caller.provider
            if not isinstance(provider, ModelLister):
                pytest.skip("it does not list models")
            listed: Sequence[object] = await provider.models()

        ids = [model.id for model in listed if isinstance(model, ListedModel)]
        require(len(ids) == len(listed), "models() returns ListedModel objects")
        require(len(set(ids)) == len(ids) and "" not in ids, f"ids repeat or are empty: {ids}")

    async def test_its_failures_are_upstream_errors(self) -> None:
        """Whatever goes wrong is an `UpstreamError` that keeps the secrets."""
        self.skip_unless_failing()
        request = replace(self.ask("Hello"), model=self.failing_model or self.model)

        async with self.connected(self.failing_settings) as caller:
            await self.require_upstream_error(caller.whole(request))
