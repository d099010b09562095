"""What the worker can answer besides words, played by a scripted upstream."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from gateway.schema.chat import ChatRequest, JsonFormat, Message, Sampling, TextPart, Tool
from gateway.schema.events import (
    Finish,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallStarted,
    collect,
)
from gateway.schema.failure import Failure
from gateway.schema.usage import Usage
from gateway.sdk import Attempt, UpstreamError
from gateway.sdk.clock import SystemClock
from gateway.testing.deps import make_deps
from gateway.testing.upstream import (
    Answer,
    FakeUpstream,
    body,
    chunks,
    error_in_stream,
    garbage,
    hang_in_stream,
    reply,
    stream,
    tool_call,
    truncated,
)
from gateway_local.engine import Endpoint, Engine
from gateway_local.making import Maker
from gateway_local.pictures import Seer
from gateway_local.provider import Local
from gateway_local.settings import LocalSettings
from gateway_local.shelf import Chosen, Shelf
from tests.plugins.local.workshops import make_workshop

CLOCK = SystemClock()
CLOSE = {"connection": "close"}  # As llama.cpp answers a request that says so.
TOOLS = (Tool("get_weather"),)
CALL = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'


class ReadyEngine:
    """An engine whose worker is the scripted upstream."""

    def __init__(self, upstream: FakeUpstream) -> None:
        url = upstream.url.removesuffix("/v1")
        self.endpoint = Endpoint(url, "key", 1, Chosen(Path("m.gguf"), "m"))
        self.doubts = 0

    async def ready(self, deadline: float) -> Endpoint:
        return self.endpoint

    def doubt(self, endpoint: Endpoint) -> None:
        self.doubts += 1


@asynccontextmanager
async def scripted(
    folder: Path, *answers: Answer
) -> AsyncGenerator[tuple[Local, FakeUpstream, ReadyEngine]]:
    async with FakeUpstream() as upstream, make_deps("local", folder, clock=CLOCK) as deps:
        upstream.will(*answers)
        engine = ReadyEngine(upstream)
        settings = LocalSettings()
        shelf = Shelf(settings, folder)
        workshop = make_workshop(deps, {})
        seer = Seer(workshop, context=4096)
        worker = cast("Engine", engine)
        maker = Maker(workshop)
        local = Local(settings, shelf, worker, deps.http, maker=maker, seer=seer)
        yield local, upstream, engine


def ask(**fields: Any) -> ChatRequest:  # Any: fields of a request.
    return ChatRequest("chat", (Message("user", (TextPart("Hi"),)),), **fields)


async def whole(
    provider: Local, request: ChatRequest, *, patience_s: float = 10.0
) -> list[StreamEvent]:
    attempt = Attempt("request", 1, CLOCK.monotonic() + patience_s, is_stream=False)
    async with aclosing(provider.chat(request, attempt)) as events:
        return [event async for event in events]


async def failure(
    provider: Local, request: ChatRequest, *, patience_s: float = 10.0
) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await whole(provider, request, patience_s=patience_s)
    return caught.value


def refused(code: int, kind: str, message: str, **more: Any) -> Answer:
    error = {"code": code, "type": kind, "message": message, **more}
    return body(orjson.dumps({"error": error}), code=code)


async def test_the_worker_s_key_is_sent_and_no_connection_is_kept(tmp_path: Path) -> None:
    async with scripted(tmp_path, reply("one", headers=CLOSE), reply("two", headers=CLOSE)) as (
        provider,
        upstream,
        _,
    ):
        await whole(provider, ask())
        await whole(provider, ask())

    assert [request.headers["authorization"] for request in upstream.requests] == 2 * ["Bearer key"]
    assert [request.headers["connection"] for request in upstream.requests] == 2 * ["close"]
    assert upstream.accepted == 2


async def test_an_answer_names_the_model_that_gave_it(tmp_path: Path) -> None:
    async with scripted(tmp_path, reply("hello there")) as (provider, _, _):
        events = await whole(provider, ask())

    assert isinstance(events[0], Started)
    assert events[0].model == "m"
    assert collect(events).choices[0].text == "hello there"


async def test_n_answers_are_numbered_and_their_usage_is_added_up(tmp_path: Path) -> None:
    async with scripted(tmp_path, reply("a", headers=CLOSE), reply("b c", headers=CLOSE)) as (
        provider,
        upstream,
        _,
    ):
        events = await whole(provider, ask(sampling=Sampling(n=2)))

    collected = collect(events)
    assert [choice.text for choice in collected.choices] == ["a", "b c"]
    assert [isinstance(event, Started) for event in events].count(True) == 1
    assert [isinstance(event, Usage) for event in events].count(True) == 1
    assert collected.usage is not None
    assert collected.usage.total_out == 3
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    ("answer", "expected", "said", "param"),
    [
        (
            refused(400, "exceed_context_size_error", "too long", n_prompt_tokens=6030, n_ctx=4096),
            Failure.CONTEXT_LENGTH,
            "4096",
            None,
        ),
        (
            refused(
                400,
                "invalid_request_error",
                "Unable to generate parser for this template. Automatic parser generation failed: "
                "JSON schema error at #: unrecognized type foo",
            ),
            Failure.CALLER_FAULT,
            "response_format cannot be enforced: JSON schema error at #: unrecognized type foo",
            "response_format",
        ),
        (
            refused(400, "invalid_request_error", "Field 'top_k' is wrong"),
            Failure.CALLER_FAULT,
            "top_k",
            None,
        ),
        (refused(401, "authentication_error", "Invalid API Key"), Failure.TRANSIENT, "401", None),
        (refused(503, "unavailable_error", "Loading model"), Failure.TRANSIENT, "503", None),
        (error_in_stream("a"), Failure.TRANSIENT, "500", None),
        (garbage(), Failure.TRANSIENT, "no JSON object", None),
        (chunks({"choices": []}, is_done=False), Failure.TRANSIENT, "too early", None),
        (body(b"data: " + bytes(1_100_000)), Failure.TRANSIENT, "an event has more than", None),
    ],
)
async def test_what_goes_wrong_has_its_class(
    tmp_path: Path, answer: Answer, expected: Failure, said: str, param: str | None
) -> None:
    async with scripted(tmp_path, answer) as (provider, _, _):
        error = await failure(provider, ask())

    assert (error.failure, error.param) == (expected, param)
    assert said in error.message


async def test_pings_and_empty_beginnings_are_passed_over(tmp_path: Path) -> None:
    said = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'
    answer = body(b":\n\ndata: null\n\n" + said + b":\n\ndata: [DONE]\n\n")
    async with scripted(tmp_path, answer) as (provider, _, _):
        events = await whole(provider, ask())

    assert collect(events).choices[0].text == "hi"


async def test_a_broken_connection_makes_the_worker_doubtful(tmp_path: Path) -> None:
    async with scripted(tmp_path, truncated(after=1)) as (provider, _, engine):
        error = await failure(provider, ask())

    assert error.failure is Failure.TRANSIENT
    assert engine.doubts == 1


async def test_a_deadline_is_a_timeout_and_no_reason_for_doubt(tmp_path: Path) -> None:
    async with scripted(tmp_path, hang_in_stream(after=1)) as (provider, _, engine):
        error = await failure(provider, ask(), patience_s=0.2)

    assert error.failure is Failure.TIMEOUT
    assert engine.doubts == 0


async def test_a_caller_who_hangs_up_frees_the_worker_at_once(tmp_path: Path) -> None:
    async with scripted(tmp_path, hang_in_stream(after=2)) as (provider, upstream, _):
        events = provider.chat(ask(), Attempt("request", 1, CLOCK.monotonic() + 10))
        await anext(events)
        await events.aclose()

        await upstream.wait_abandoned()


async def test_a_call_written_as_text_becomes_a_tool_call(tmp_path: Path) -> None:
    async with scripted(tmp_path, stream(*CALL)) as (provider, upstream, _):
        events = await whole(provider, ask(tools=TOOLS))

    choice = collect(events).choices[0]
    assert [(call.name, call.arguments) for call in choice.tool_calls] == [
        ("get_weather", '{"city": "Oslo"}')
    ]
    assert (choice.text, choice.finish) == ("", "tool_calls")
    assert "response_format" not in upstream.requests[0].document


async def test_the_same_text_stays_text_when_no_tools_are_given(tmp_path: Path) -> None:
    async with scripted(tmp_path, stream(*CALL)) as (provider, _, _):
        events = await whole(provider, ask())

    assert collect(events).choices[0].text == CALL


async def test_a_call_in_the_model_s_own_format_gets_an_id_of_ours(tmp_path: Path) -> None:
    async with scripted(tmp_path, tool_call("get_weather", {"city": "Oslo"})) as (provider, _, _):
        events = await whole(provider, ask(tools=TOOLS))

    (call,) = [event for event in events if isinstance(event, ToolCallStarted)]
    assert call.id.startswith("call_")
    assert call.id != "call_1"
    assert collect(events).choices[0].finish == "tool_calls"


async def test_tools_come_first_when_a_format_is_asked_for_too(tmp_path: Path) -> None:
    request = ask(tools=TOOLS, response_format=JsonFormat())
    async with scripted(tmp_path, reply(CALL)) as (provider, upstream, _):
        events = await whole(provider, request)

    assert [call.name for call in collect(events).choices[0].tool_calls] == ["get_weather"]
    assert len(upstream.requests) == 1


async def test_without_a_call_the_format_is_enforced_by_a_second_generation(tmp_path: Path) -> None:
    request = ask(tools=TOOLS, response_format=JsonFormat())
    async with scripted(tmp_path, reply("It rains.", headers=CLOSE), reply("{}")) as (
        provider,
        upstream,
        _,
    ):
        events = await whole(provider, request)

    collected = collect(events)
    assert collected.choices[0].text == "{}"
    assert "response_format" not in upstream.requests[0].document
    assert "tools" not in upstream.requests[1].document
    assert upstream.requests[1].document["response_format"] == {"type": "json_object"}
    assert collected.usage is not None
    assert collected.usage.total_out == 3


async def test_token_entries_lose_the_vocabulary_s_numbers(tmp_path: Path) -> None:
    entry = {"id": 7, "token": "a", "logprob": -1.0, "top_logprobs": [{"id": 8, "token": "b"}]}
    choice = {"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [entry]}}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    async with scripted(tmp_path, chunks({"choices": [choice]}, {"choices": [end]})) as (
        provider,
        _,
        _,
    ):
        events = await whole(provider, ask())

    (said,) = [event for event in events if isinstance(event, TextDelta)]
    assert said.logprobs == ({"token": "a", "logprob": -1.0, "top_logprobs": [{"token": "b"}]},)
    assert isinstance(events[-2], Finish)


async def test_another_model_than_chat_is_not_here(tmp_path: Path) -> None:
    async with scripted(tmp_path) as (provider, _, _):
        error = await failure(provider, ChatRequest("gpt-5", ()))

    assert error.failure is Failure.MODEL_GONE


async def test_many_calls_share_the_worker(tmp_path: Path) -> None:
    async with scripted(tmp_path) as (provider, upstream, _):
        await asyncio.gather(*(whole(provider, ask()) for _ in range(5)))

    assert upstream.accepted == 5
