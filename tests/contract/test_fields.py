"""Section 6: fields of the wrong kind are named, at whatever place they stand."""

import pytest

from gateway.schema.json import JsonObject
from gateway.testing.upstream import FakeUpstream
from tests.contract.asking import Asker, assert_refused

TURN = {"role": "user", "content": "hi"}
CHAT: JsonObject = {"model": "openai", "messages": [TURN]}
COMPLETION: JsonObject = {"model": "openai", "prompt": "hi"}
TOOL: JsonObject = {"type": "function", "function": {"name": "f"}}
NOT_TEXT: tuple[object, ...] = (5, 1.5, True, [], {}, ["a"], {"a": 1})
NOT_A_NUMBER: tuple[object, ...] = ("5", True, [], {}, [1])
NOT_AN_INTEGER: tuple[object, ...] = (*NOT_A_NUMBER, 1.5)
NOT_A_BOOLEAN: tuple[object, ...] = ("true", 1, 0, [], {})
NOT_A_LIST: tuple[object, ...] = ("a", 5, True, {}, {"a": 1})
NOT_AN_OBJECT: tuple[object, ...] = ("a", 5, True, [], [1])

CHAT_FIELDS: dict[str, tuple[object, ...]] = {
    "model": (*NOT_TEXT, "", " ", "m" * 257, "a\0b"),
    "messages": (*NOT_A_LIST, [], ["hi"], [None], [[]], [5]),
    "temperature": (*NOT_A_NUMBER, -0.1, 2.1),
    "top_p": (*NOT_A_NUMBER, -0.1, 1.1),
    "presence_penalty": (*NOT_A_NUMBER, -2.1, 2.1),
    "frequency_penalty": (*NOT_A_NUMBER, -2.1, 2.1),
    "n": (*NOT_AN_INTEGER, 0, 129),
    "seed": (*NOT_AN_INTEGER, 2**63),
    "max_tokens": (*NOT_AN_INTEGER, 0, -1),
    "max_completion_tokens": (*NOT_AN_INTEGER, 0),
    "logprobs": NOT_A_BOOLEAN,
    "stream": NOT_A_BOOLEAN,
    "parallel_tool_calls": NOT_A_BOOLEAN,
    "reasoning_effort": NOT_TEXT,
    "user": NOT_TEXT,
    "stop": (5, True, {}, [5], [["a"]], ["a"] * 17),
    "stream_options": (*NOT_AN_OBJECT, {"include_usage": "yes"}, {"include_usage": 1}),
    "tools": (*NOT_A_LIST, [5], ["a"], [{}], [{"type": 5}], [{"type": "function"}]),
    "tool_choice": (5, True, [], "f", "any", {}, {"type": []}),
    "response_format": (*NOT_AN_OBJECT, {}, {"type": 5}, {"type": []}, {"type": "xml"}),
    "modalities": (*NOT_A_LIST, [5], ["smell"], [["text"]]),
}
COMPLETION_FIELDS: dict[str, tuple[object, ...]] = {
    "model": NOT_TEXT,
    "prompt": (5, True, {}, [], [None], [{}], [1.5], ["a", 1], [["a"]], [[1], "a"], [True]),
    "temperature": (*NOT_A_NUMBER, 2.1),
    "n": (*NOT_AN_INTEGER, 0, 129),
    "best_of": (*NOT_AN_INTEGER, 0),
    "max_tokens": NOT_AN_INTEGER,
    "logprobs": (*NOT_AN_INTEGER, 6),
    "stream": NOT_A_BOOLEAN,
    "echo": NOT_A_BOOLEAN,
    "suffix": NOT_TEXT,
    "stop": (5, {}, [5]),
    "stream_options": NOT_AN_OBJECT,
    "user": NOT_TEXT,
}


@pytest.mark.parametrize("name", CHAT_FIELDS)
async def test_a_chat_field_of_the_wrong_kind_is_named(
    caller: Asker, upstream: FakeUpstream, name: str
) -> None:
    for value in CHAT_FIELDS[name]:
        reply = await caller.post("/v1/chat/completions", CHAT | {name: value})

        error = assert_refused(reply, 400, "invalid_parameter")
        assert error["param"].startswith(name), (value, error)
    assert upstream.requests == []


@pytest.mark.parametrize("name", COMPLETION_FIELDS)
async def test_a_completion_field_of_the_wrong_kind_is_named(
    caller: Asker, upstream: FakeUpstream, name: str
) -> None:
    for value in COMPLETION_FIELDS[name]:
        reply = await caller.post("/v1/completions", COMPLETION | {name: value})

        error = assert_refused(reply, 400, "invalid_parameter")
        assert error["param"].startswith(name), (value, error)
    assert upstream.requests == []


@pytest.mark.parametrize("name", ["model", "messages"])
async def test_what_chat_cannot_do_without_is_missing(caller: Asker, name: str) -> None:
    for value in ({}, {name: None}):
        document = {key: said for key, said in CHAT.items() if key != name} | value
        assert_refused(
            await caller.post("/v1/chat/completions", document), 400, "missing_parameter", name
        )


@pytest.mark.parametrize("name", ["model", "prompt"])
async def test_what_completions_cannot_do_without_is_missing(caller: Asker, name: str) -> None:
    document = {key: said for key, said in COMPLETION.items() if key != name}

    reply = await caller.post("/v1/completions", document)

    assert_refused(reply, 400, "missing_parameter", name)


PART, CALLS = "messages[0].content[0]", "messages[0].tool_calls"


def part(kind: str, said: object) -> JsonObject:
    """Return a turn of one part."""
    return {"role": "user", "content": [{"type": kind, kind: said}]}


def calling(calls: object) -> JsonObject:
    """Return a turn that asks for tools."""
    return {"role": "assistant", "tool_calls": calls}


@pytest.mark.parametrize(
    ("turn", "param"),
    [
        ({"role": 5, "content": "hi"}, "messages[0].role"),
        ({"role": [], "content": "hi"}, "messages[0].role"),
        ({"role": {}, "content": "hi"}, "messages[0].role"),
        ({"role": "robot", "content": "hi"}, "messages[0].role"),
        ({"content": "hi"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": None}, "messages[0].content"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": {"type": "text"}}, "messages[0].content"),
        ({"role": "user", "content": ["hi"]}, PART),
        ({"role": "user", "content": [{"type": []}]}, PART),
        ({"role": "user", "content": [{"type": "text"}]}, f"{PART}.text"),
        ({"role": "user", "content": [{"type": "text", "text": 5}]}, f"{PART}.text"),
        (part("image_url", "http://x"), f"{PART}.image_url"),
        (part("image_url", {"url": 5}), f"{PART}.image_url.url"),
        (part("image_url", {"url": "file:///etc/passwd"}), f"{PART}.image_url.url"),
        (part("image_url", {"url": "data:,", "detail": []}), f"{PART}.image_url.detail"),
        (part("input_audio", {"data": 5, "format": "wav"}), f"{PART}.input_audio.data"),
        (part("input_audio", {"data": "", "format": 5}), f"{PART}.input_audio.format"),
        ({"role": "user", "content": "hi", "name": 5}, "messages[0].name"),
        ({"role": "assistant", "content": None, "refusal": 5}, "messages[0].refusal"),
        ({"role": "tool", "content": "hi"}, "messages[0].tool_call_id"),
        ({"role": "tool", "content": "hi", "tool_call_id": 5}, "messages[0].tool_call_id"),
        (calling("f"), CALLS),
        (calling([5]), f"{CALLS}[0]"),
        (calling([{"id": 5}]), f"{CALLS}[0]"),
        (calling([{"id": "a", "type": []}]), f"{CALLS}[0].type"),
        (calling([{"id": "a"}]), f"{CALLS}[0].function"),
        (calling([{"id": "a", "function": {"name": [], "arguments": ""}}]), f"{CALLS}[0].function"),
        (
            calling([{"id": "a", "function": {"name": "f", "arguments": {}}}]),
            f"{CALLS}[0].function",
        ),
    ],
)
@pytest.mark.parametrize("model", ["openai", "chaotic"])
async def test_what_is_wrong_in_a_turn_is_named_by_its_place(
    caller: Asker, upstream: FakeUpstream, model: str, turn: JsonObject, param: str
) -> None:
    reply = await caller.post("/v1/chat/completions", {"model": model, "messages": [turn]})

    assert_refused(reply, 400, "invalid_parameter", param)
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "function", "function": 5}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": []}}]}, "tools[0].function.name"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "description": 5}}]},
            "tools[0].function.description",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "strict": "yes"}}]},
            "tools[0].function.strict",
        ),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {}}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": "f"}}, "tool_choice"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": []}}},
            "tool_choice",
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            "tool_choice",
        ),
        ({"tools": [{"type": "custom"}], "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": []}}},
            "response_format.json_schema.schema",
        ),
        *(
            (
                {
                    "response_format": {
                        "type": "json_schema",
                        "json_schema": {"schema": {}, field: value},
                    }
                },
                f"response_format.json_schema.{field}",
            )
            for field, value in (("name", 5), ("description", []), ("strict", "yes"))
        ),
        ({"top_logprobs": 2}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
@pytest.mark.parametrize("model", ["openai", "chaotic"])
async def test_what_is_wrong_within_a_field_is_named_by_its_place(
    caller: Asker, upstream: FakeUpstream, model: str, fields: JsonObject, param: str
) -> None:
    reply = await caller.chat(**({"model": model} | fields))

    assert_refused(reply, 400, "invalid_parameter", param)
    assert upstream.requests == []


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "allowed_tools": {}}},
        {"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "f"}}},
        {"tools": [{"type": "custom", "custom": {"name": "f"}}]},
        {"messages": [{"role": "function", "name": "f", "content": "1"}]},
    ],
)
async def test_what_only_newer_or_older_apis_know_passes_or_is_400(
    caller: Asker, upstream: FakeUpstream, fields: JsonObject
) -> None:
    passed = await caller.chat(**fields)
    refused = await caller.chat(**({"model": "chaotic"} | fields))

    assert passed.status == 200
    assert {name: upstream.requests[0].document[name] for name in fields} == fields
    assert_refused(refused, 400, "unsupported_feature")


@pytest.mark.parametrize(
    "name", ["api_base", "base_url", "api_key", "extra_headers", "extra_body", "extra_query"]
)
@pytest.mark.parametrize(
    ("path", "document"), [("/v1/chat/completions", CHAT), ("/v1/completions", COMPLETION)]
)
async def test_nobody_steers_the_gateway_by_a_field(
    caller: Asker, upstream: FakeUpstream, path: str, document: JsonObject, name: str
) -> None:
    values: list[object] = ["http://127.0.0.1:1/v1", None, {}]
    for value in values:
        reply = await caller.post(path, document | {name: value})

        assert_refused(reply, 400, "invalid_parameter", name)
    assert upstream.requests == []


async def test_steering_headers_change_nothing(caller: Asker, upstream: FakeUpstream) -> None:
    headers = {
        "X-Base-Url": "http://127.0.0.1:1",
        "X-Api-Base": "http://127.0.0.1:1",
        "OpenAI-Organization": "org-x",
        "X-Portkey-Custom-Host": "http://127.0.0.1:1",
    }

    reply = await caller.ask("POST", "/v1/chat/completions", json=CHAT, headers=headers)

    assert reply.status == 200
    assert not {name.lower() for name in headers} & upstream.requests[0].headers.keys()
