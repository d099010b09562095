"""What a request becomes before llama.cpp sees it."""

import pytest

from gateway.schema.chat import (
    AudioPart,
    ChatRequest,
    CompletionRequest,
    ImagePart,
    JsonFormat,
    Message,
    NamedTool,
    OpaquePart,
    Part,
    RefusalPart,
    Role,
    Sampling,
    TextPart,
    Tool,
    ToolCall,
)
from gateway.schema.failure import Failure
from gateway.schema.json import Wire
from gateway.sdk import UpstreamError
from gateway_local.document import chat_document, completion_document

WEATHER = Tool("get_weather", "The weather.", {"type": "object", "properties": {"city": {}}})
MAIL = Tool("send_email")
CALLED = Message("assistant", tool_calls=(ToolCall("call_1", "get_weather", '{"city": "Oslo"}'),))
RESULT = Message("tool", (TextPart("-3 °C"),), tool_call_id="call_1")


def turn(role: Role, *texts: str) -> Message:
    return Message(role, tuple(TextPart(text) for text in texts))


def test_all_instructions_become_one_system_turn_at_the_front() -> None:
    request = ChatRequest(
        "chat", (turn("user", "Hi"), turn("developer", "Be brief."), turn("system", "Be kind."))
    )

    document = chat_document(request)

    assert document["messages"] == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": "Hi"},
    ]


def test_a_result_becomes_the_user_s_words_and_no_tools_are_offered_with_it() -> None:
    request = ChatRequest("chat", (turn("user", "Oslo?"), CALLED, RESULT), tools=(WEATHER,))

    document = chat_document(request)

    assert document["messages"] == [
        {"role": "user", "content": "Oslo?"},
        {
            "role": "assistant",
            "content": '{"name": "get_weather", "arguments": {"city": "Oslo"}}',
        },
        {
            "role": "user",
            "content": "Tool get_weather returned: -3 °C\n\nUse it to answer my question.",
        },
    ]
    assert "tools" not in document


def test_results_and_what_follows_them_are_one_turn_with_tools_again() -> None:
    unknown = Message("tool", (TextPart("snow"),), tool_call_id="call_9")
    messages = (turn("user", "Oslo?"), CALLED, RESULT, unknown, turn("user", "In Fahrenheit?"))

    document = chat_document(ChatRequest("chat", messages, tools=(WEATHER,)))

    assert document["messages"][-1]["content"] == (
        "Tool get_weather returned: -3 °C\n\nTool you called returned: snow\n\nIn Fahrenheit?"
    )
    assert document["tools"][0]["function"]["name"] == "get_weather"
    assert "tool_choice" not in document


def test_a_demanded_call_is_held_to_by_a_schema_of_the_tools() -> None:
    request = ChatRequest(
        "chat", (turn("user", "Hi"),), tools=(WEATHER, MAIL), tool_choice="required"
    )

    document = chat_document(request)

    schema = document["response_format"]["json_schema"]["schema"]
    assert [call["properties"]["name"]["const"] for call in schema["anyOf"]] == [
        "get_weather",
        "send_email",
    ]
    assert schema["$defs"] == {"tool0": WEATHER.parameters, "tool1": {"type": "object"}}
    assert document["tool_choice"] == "none"
    assert len(document["tools"]) == 2


def test_a_named_tool_is_the_only_one_that_the_schema_allows() -> None:
    request = ChatRequest(
        "chat",
        (turn("user", "Hi"),),
        tools=(WEATHER, MAIL),
        tool_choice=NamedTool("send_email"),
        response_format=JsonFormat(),
    )

    document = chat_document(request)

    schema = document["response_format"]["json_schema"]["schema"]
    assert [call["properties"]["name"]["const"] for call in schema["anyOf"]] == ["send_email"]


def test_references_within_a_tool_s_parameters_still_find_their_target() -> None:
    parameters = {
        "type": "object",
        "properties": {"place": {"$ref": "#/$defs/Place"}, "next": {"$ref": "#"}},
        "$defs": {"Place": {"type": "array", "items": [{"$ref": "https://example.com/x"}]}},
    }
    request = ChatRequest(
        "chat",
        (turn("user", "Hi"),),
        tools=(Tool("go", None, parameters),),
        tool_choice="required",
    )

    document = chat_document(request)

    moved = document["response_format"]["json_schema"]["schema"]["$defs"]["tool0"]
    assert moved["properties"]["place"] == {"$ref": "#/$defs/tool0/$defs/Place"}
    assert moved["properties"]["next"] == {"$ref": "#/$defs/tool0"}
    assert moved["$defs"]["Place"]["items"] == [{"$ref": "https://example.com/x"}]


@pytest.mark.parametrize(
    ("tools", "choice"), [((), "required"), ((WEATHER,), NamedTool("send_email"))]
)
def test_a_demand_for_a_tool_that_is_not_declared_is_the_caller_s_fault(
    tools: tuple[Tool, ...], choice: NamedTool
) -> None:
    request = ChatRequest("chat", (turn("user", "Hi"),), tools=tools, tool_choice=choice)

    with pytest.raises(UpstreamError) as caught:
        chat_document(request)

    assert (caught.value.failure, caught.value.param) == (Failure.CALLER_FAULT, "tool_choice")


def test_no_tools_are_offered_when_the_caller_wants_none() -> None:
    request = ChatRequest("chat", (turn("user", "Hi"),), tools=(WEATHER,), tool_choice="none")

    assert "tools" not in chat_document(request)


@pytest.mark.parametrize(
    "part",
    [
        ImagePart("data:image/png;base64,AA=="),
        AudioPart("AA==", "wav"),
        OpaquePart(Wire.OPENAI_CHAT, {"type": "file"}),
    ],
)
def test_parts_that_are_no_text_are_refused_by_name(part: Part) -> None:
    request = ChatRequest("chat", (Message("user", (TextPart("What is this?"), part)),))

    with pytest.raises(UpstreamError) as caught:
        chat_document(request)

    assert caught.value.failure is Failure.UNSUPPORTED
    assert caught.value.param == "messages"


def test_an_earlier_refusal_is_read_as_words() -> None:
    refused = Message("assistant", (RefusalPart("No."),))

    document = chat_document(ChatRequest("chat", (turn("user", "Hi"), refused)))

    assert document["messages"][-1] == {"role": "assistant", "content": "No."}


@pytest.mark.parametrize("seed", [-(2**63), -1, 0, 2**32 - 1, 2**63 - 1])
def test_every_seed_is_one_that_llama_does_not_take_for_random(seed: int) -> None:
    request = ChatRequest("chat", (turn("user", "Hi"),), sampling=Sampling(seed=seed))

    sent = chat_document(request)["seed"]

    assert 0 <= sent < 2**32 - 1


def test_each_of_n_answers_has_a_seed_of_its_own() -> None:
    request = ChatRequest("chat", (turn("user", "Hi"),), sampling=Sampling(seed=7, n=3))

    documents = [chat_document(request, attempt_of_n=number) for number in range(3)]

    assert [document["seed"] for document in documents] == [7, 8, 9]
    assert all("n" not in document for document in documents)


def test_only_extra_fields_about_sampling_reach_the_worker() -> None:
    extra = {Wire.OPENAI_CHAT: {"top_k": 5, "id_slot": 0, "grammar": "root ::= x", "user": "ada"}}
    request = ChatRequest(
        "chat",
        (turn("user", "Hi"),),
        sampling=Sampling(reasoning_effort="high"),
        extra=extra,
    )

    document = chat_document(request)

    assert document["top_k"] == 5
    assert not {"id_slot", "grammar", "user", "reasoning_effort"} & document.keys()


def test_a_completion_asks_for_one_prompt() -> None:
    request = CompletionRequest(
        "chat", ("one", "two"), Sampling(max_output_tokens=3), is_echoed=True
    )

    document = completion_document(request, "two")

    assert document == {
        "model": "chat",
        "prompt": "two",
        "max_tokens": 3,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_suffix_is_refused_by_name() -> None:
    with pytest.raises(UpstreamError) as caught:
        completion_document(CompletionRequest("chat", ("a",), suffix="z"), "a")

    assert (caught.value.failure, caught.value.param) == (Failure.UNSUPPORTED, "suffix")
