"""Canonical requests and events ↔ OpenAI's documents, both ways."""

import base64
from typing import Any

import pytest

from gateway.dialects.openai_chat import parse_chat
from gateway.dialects.openai_completions import parse_completion
from gateway.schema.chat import ChatRequest, CompletionRequest, Message, Sampling, TextPart
from gateway.schema.events import (
    AudioDelta,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    Started,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from gateway.schema.json import JsonObject, Wire
from gateway.schema.usage import Usage
from gateway.sdk.openai_wire import (
    ChunkReader,
    completion_document_of,
    document_of,
    events_of_reply,
)

TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "does it",
        "parameters": {"type": "object"},
        "strict": True,
    },
}
DOCUMENTS: list[JsonObject] = [
    {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    {
        "model": "m",
        "messages": [
            {"role": "developer", "content": "be brief"},
            {
                "role": "user",
                "name": "ann",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
            {
                "role": "assistant",
                "content": "calling",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
                "annotations": [{"kept": True}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
        ],
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "parallel_tool_calls": False,
    },
    {
        "model": "m",
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "text",
                        "text": "what is this",
                        "cache_control": {"type": "ephemeral"},
                    },
                    {"type": "image_url", "image_url": {"url": "https://h/i.png", "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                    {"type": "file", "file": {"file_id": "f"}},
                ],
            }
        ],
    },
    {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.5,
        "top_p": 0.5,
        "presence_penalty": 1,
        "frequency_penalty": -1,
        "seed": -5,
        "max_tokens": 5,
        "stop": ["a", "b"],
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "reasoning_effort": "low",
        "tools": [TOOL],
        "tool_choice": "required",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "t", "schema": {"type": "object"}, "strict": True},
        },
        "user": "u",
        "logit_bias": {"5": 1},
        "a_field_of_the_future": {"kept": [1]},
    },
    {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "response_format": {"type": "json_object"},
    },
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_survives_the_way_through_the_canonical_form(document: JsonObject) -> None:
    request = parse_chat(document).meaning()

    assert isinstance(request, ChatRequest)
    assert document_of(request, is_stream=False) == document


def test_a_completion_survives_it_too() -> None:
    document = {
        "model": "m",
        "prompt": ["a", "b"],
        "suffix": "z",
        "echo": True,
        "logprobs": 2,
        "max_tokens": 4,
        "user": "u",
        "best_of": 3,
    }

    request = parse_completion(document).meaning()

    assert isinstance(request, CompletionRequest)
    assert completion_document_of(request, is_stream=False) == document


def test_a_stream_is_asked_for_with_its_usage_unless_the_host_refuses_that() -> None:
    request = ChatRequest("m", (Message("user", (TextPart("hi"),)),), Sampling(max_output_tokens=3))

    asked = document_of(request, is_stream=True, max_tokens_field="max_completion_tokens")
    silent = document_of(request, is_stream=True, is_usage_asked=False)

    assert asked["stream_options"] == {"include_usage": True}
    assert asked["max_completion_tokens"] == 3
    assert "stream_options" not in silent
    assert silent["stream"] is True


def chunk(**delta: Any) -> JsonObject:
    return {"model": "m", "created": 7, "choices": [{"index": 0, "delta": delta}]}


def test_chunks_become_events_in_order() -> None:
    reader = ChunkReader()
    call = {"index": 1, "id": "c", "function": {"name": "f", "arguments": ""}}
    more = {"index": 1, "function": {"arguments": '{"a"'}}
    sound = base64.b64encode(b"\x01").decode()
    chunks = [
        chunk(role="assistant", content=""),
        chunk(reasoning_content="hm"),
        chunk(content="hi"),
        chunk(tool_calls=[call]),
        chunk(tool_calls=[more]),
        chunk(refusal="no"),
        chunk(audio={"data": sound, "transcript": "t"}),
        chunk(annotations=[1]),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 1}},
    ]

    events = [event for one in chunks for event in reader.read(one)]

    assert events == [
        Started("m", 7),
        ReasoningDelta(0, "hm"),
        TextDelta(0, "hi"),
        ToolCallStarted(0, 1, "c", "f"),
        ToolCallDelta(0, 1, '{"a"'),
        RefusalDelta(0, "no"),
        AudioDelta(0, b"\x01", "t"),
        TextDelta(0, "", extra={Wire.OPENAI_CHAT: {"annotations": [1]}}),
        Finish(0, "stop"),
        Usage(input_tokens=2, output_tokens=1),
    ]


def test_a_whole_reply_is_the_same_as_its_stream() -> None:
    reply = {
        "model": "m",
        "created": 7,
        "system_fingerprint": "fp",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "hi", "refusal": None},
                "logprobs": {"content": [{"token": "hi", "logprob": -0.1}]},
            }
        ],
        "usage": {"prompt_tokens": 2, "completion_tokens": 1},
    }

    assert events_of_reply(reply) == [
        Started("m", 7, {Wire.OPENAI_CHAT: {"system_fingerprint": "fp"}}),
        TextDelta(0, "hi", ({"token": "hi", "logprob": -0.1},)),
        Finish(0, "stop"),
        Usage(input_tokens=2, output_tokens=1),
    ]


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"choices": None},
        {"choices": ["x", {"delta": "x"}, {"index": "x", "delta": {"tool_calls": ["x", {}]}}]},
        {"choices": [{"delta": {"content": 5, "audio": {"data": "%%%"}}}]},
    ],
)
def test_strange_chunks_raise_nothing(strange: JsonObject) -> None:
    ChunkReader().read(strange)
