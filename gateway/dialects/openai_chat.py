"""OpenAI's chat completions: a caller's body as an `Ask`.

Source: OpenAI API reference, Chat Completions. Fields that we do not know pass through.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gateway.dialects.fields import Boolean, Integer, Kind, Number, Text, refusal
from gateway.dialects.openai_messages import check_messages, to_messages
from gateway.dialects.openai_modalities import audio_of, check_modalities
from gateway.dialects.openai_tools import check_tools, tool_choice_of, tools_of
from gateway.dialects.wishes import take_wishes
from gateway.schema.ask import Ask, Feature
from gateway.schema.chat import ChatRequest, JsonFormat
from gateway.schema.failure import CallError
from gateway.schema.json import NO_EXTRA, JsonObject, Wire
from gateway.schema.knobs import knobs_of, sampling_of

FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        "model": Text(256, is_blank_ok=False),
        "temperature": Number(0.0, 2.0),
        "top_p": Number(0.0, 1.0),
        "presence_penalty": Number(-2.0, 2.0),
        "frequency_penalty": Number(-2.0, 2.0),
        "n": Integer(1, 128),
        "seed": Integer(),
        "max_tokens": Integer(1, 10_000_000),
        "max_completion_tokens": Integer(1, 10_000_000),
        "logprobs": Boolean(),
        "top_logprobs": Integer(0, 20),
        "stream": Boolean(),
        "parallel_tool_calls": Boolean(),
        "reasoning_effort": Text(32),
        "user": Text(512),
    }
)
"""The fields whose kind and range are checked before anything else happens."""

STEERING = frozenset(
    {"api_base", "base_url", "api_key", "extra_headers", "extra_body", "extra_query"}
)
"""Fields that other gateways let steer where a request goes; here they are refused."""

_STRUCTURED = {"messages", "stop", "tools", "tool_choice", "response_format", "stream_options"}
_CANONICAL = (FIELDS.keys() - {"user"}) | _STRUCTURED
_CANONICAL_SPOKEN = _CANONICAL | {"modalities", "audio"}
_MAX_STOPS = 16


def parse_chat(document: JsonObject) -> Ask:
    """Return the request that `document` makes; it is kept for targets that take it as it is.

    Raises `missing_parameter` and `invalid_parameter` naming the field.
    """
    wished = take_wishes(document)
    check_fields(document, FIELDS)
    if document.get("messages") is None:
        raise CallError(
            "missing_parameter", "messages is missing: give at least one message", param="messages"
        )
    needs, links = check_messages(document["messages"])
    needs.add(Feature.TEXT)
    if document.get("tools") is not None or document.get("tool_choice") is not None:
        needs |= check_tools(document)
    if document.get("response_format") is not None:
        needs |= _check_format(document["response_format"])
    if document.get("modalities") is not None:
        needs |= check_modalities(document)
    if document.get("logprobs") is not True and document.get("top_logprobs") is not None:
        raise CallError(
            "invalid_parameter", "top_logprobs needs logprobs to be true", param="logprobs"
        )
    stream_options = check_stream_options(document)
    return Ask(
        dialect="openai_chat",
        model=document["model"],
        translate=to_chat,
        needs=frozenset(needs),
        wire=Wire.OPENAI_CHAT,
        document=document,
        knobs=knobs_of(document),
        is_stream=document.get("stream") is True,
        is_usage_wanted=stream_options.get("include_usage") is True,
        has_seed=document.get("seed") is not None,
        links=links,
        wished=wished,
    )


def to_chat(document: JsonObject) -> ChatRequest:
    """Return the canonical form of a checked document."""
    audio = audio_of(document)
    known = _CANONICAL if audio is None else _CANONICAL_SPOKEN
    rest = {
        name: value for name, value in document.items() if name not in known and value is not None
    }
    return ChatRequest(
        model=document["model"],
        messages=to_messages(document["messages"]),
        sampling=sampling_of(document),
        tools=tools_of(document),
        tool_choice=tool_choice_of(document),
        parallel_tool_calls=document.get("parallel_tool_calls"),
        response_format=_format(document.get("response_format")),
        audio=audio,
        extra={Wire.OPENAI_CHAT: rest} if rest else NO_EXTRA,
    )


def with_model(document: JsonObject, default: str) -> JsonObject:
    """Return `document` asking for the model `default` where it names none."""
    return document if document.get("model") else {**document, "model": default}


def check_fields(document: JsonObject, fields: Mapping[str, Kind]) -> None:
    """Check every scalar that is there (null counts as absent); refuse what steers the gateway."""
    if not STEERING.isdisjoint(document):
        name = next(name for name in document if name in STEERING)
        raise CallError(
            "invalid_parameter",
            f"{name} may not be sent: where a model lives is the operator's to configure",
            param=name,
        )
    if document.get("model") is None:
        raise CallError(
            "missing_parameter", "model is missing: GET /v1/models lists the names", param="model"
        )
    for name, value in document.items():
        kind = fields.get(name)
        if kind is not None and value is not None:
            kind.from_json(name, value)
    stop = document.get("stop")
    if stop is None or isinstance(stop, str):
        return
    if (
        not isinstance(stop, list)
        or len(stop) > _MAX_STOPS
        or not all(isinstance(s, str) for s in stop)
    ):
        raise refusal("stop", stop, f"a string or an array of at most {_MAX_STOPS} strings")


def check_stream_options(document: JsonObject) -> JsonObject:
    """Return `stream_options`, an empty object when there is none; it needs `stream`."""
    options = document.get("stream_options")
    if options is None:
        return {}
    if not isinstance(options, dict) or not isinstance(options.get("include_usage", False), bool):
        raise refusal("stream_options", options, "an object whose include_usage is a boolean")
    if document.get("stream") is not True:
        raise CallError(
            "invalid_parameter", "stream_options needs stream to be true", param="stream_options"
        )
    return options


def _check_format(wanted: Any) -> set[Feature]:  # Any: a JSON value, checked here.
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    match kind:
        case "text":
            return set()
        case "json_object":
            return {Feature.JSON_OBJECT}
        case "json_schema":
            described = wanted.get("json_schema")
            if not isinstance(described, dict) or not isinstance(described.get("schema"), dict):
                got = described.get("schema") if isinstance(described, dict) else described
                raise refusal("response_format.json_schema.schema", got, "a JSON schema")
            for field, kind, sort in (
                ("name", str, "a string"),
                ("description", str, "a string"),
                ("strict", bool, "a boolean"),
            ):
                if not isinstance(described.get(field), kind | None):
                    raise refusal(f"response_format.json_schema.{field}", described[field], sort)
            return {Feature.JSON_SCHEMA}
        case _:  # Whatever a caller may have written.
            raise refusal("response_format.type", kind, "one of text, json_object, json_schema")


def _format(wanted: JsonObject | None) -> JsonFormat | None:
    if wanted is None or wanted["type"] == "text":
        return None
    if wanted["type"] == "json_object":
        return JsonFormat()
    described = wanted["json_schema"]
    return JsonFormat(
        schema=described["schema"],
        name=str(described.get("name") or "answer"),
        is_strict=described.get("strict"),
        description=described.get("description"),
    )
