"""Canonical meaning ↔ OpenAI's chat and completion wires, from the side that calls an upstream.

Source: OpenAI API reference, Chat Completions and Completions (legacy).
"""

import base64
import binascii
from collections.abc import Iterable

from gateway.schema.chat import (
    AudioOutput,
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
    Sampling,
    TextPart,
    Tool,
)
from gateway.schema.events import (
    AudioDelta,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from gateway.schema.json import NO_EXTRA, JsonObject, Wire
from gateway.schema.wires import usage_of

CHAT, COMPLETIONS = Wire.OPENAI_CHAT, Wire.OPENAI_COMPLETIONS
_KNOWN_DELTA = {
    "role",
    "content",
    "reasoning_content",
    "reasoning",
    "refusal",
    "tool_calls",
    "audio",
}


def document_of(
    request: ChatRequest,
    *,
    is_stream: bool,
    is_usage_asked: bool = True,
    max_tokens_field: str = "max_tokens",
) -> JsonObject:
    """Return the chat-completions body that asks for `request`.

    `is_usage_asked` adds `stream_options.include_usage` to a stream; hosts that refuse it exist.
    """
    document: JsonObject = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        **_sampling(request.sampling, max_tokens_field),
        **request.extra.get(CHAT, {}),
    }
    if request.sampling.top_logprobs is not None:
        document |= {"logprobs": True, "top_logprobs": request.sampling.top_logprobs}
    if request.sampling.reasoning_effort is not None:
        document["reasoning_effort"] = request.sampling.reasoning_effort
    if request.tools:
        document["tools"] = [_tool(tool) for tool in request.tools]
        choice = request.tool_choice
        if isinstance(choice, NamedTool):
            document["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
        elif choice != "auto":
            document["tool_choice"] = choice
        if request.parallel_tool_calls is not None:
            document["parallel_tool_calls"] = request.parallel_tool_calls
    if request.response_format is not None:
        document["response_format"] = _format(request.response_format)
    if request.audio is not None:
        document["modalities"] = ["audio"] if request.audio.is_alone else ["text", "audio"]
        document["audio"] = _spoken(request.audio)
    return _streamed(document, is_stream=is_stream, is_usage_asked=is_usage_asked)


def completion_document_of(
    request: CompletionRequest, *, is_stream: bool, is_usage_asked: bool = True
) -> JsonObject:
    """Return the legacy completions body that asks for `request`."""
    prompts = list(request.prompts)
    document: JsonObject = {
        "model": request.model,
        "prompt": prompts[0] if len(prompts) == 1 else prompts,
        **_sampling(request.sampling, "max_tokens"),
        **request.extra.get(COMPLETIONS, {}),
    }
    if request.sampling.top_logprobs is not None:
        document["logprobs"] = request.sampling.top_logprobs
    if request.suffix is not None:
        document["suffix"] = request.suffix
    if request.is_echoed:
        document["echo"] = True
    return _streamed(document, is_stream=is_stream, is_usage_asked=is_usage_asked)


class ChunkReader:
    """Turns the chunks of one stream into events, in order."""

    def __init__(self) -> None:
        self._has_started = False
        self._calls: set[tuple[int, int]] = set()

    def read(self, chunk: JsonObject) -> list[StreamEvent]:
        """Return what `chunk` says; fields that it does not know go into `extra`."""
        events: list[StreamEvent] = []
        if not self._has_started and "choices" in chunk:
            self._has_started = True
            events.append(_started(chunk))
        for choice in _objects(chunk.get("choices")):
            index = choice.get("index") if isinstance(choice.get("index"), int) else 0
            events += self._choice(index or 0, choice)
        usage = usage_of(chunk)
        if usage is not None:
            events.append(usage)
        return events

    def _choice(self, index: int, choice: JsonObject) -> Iterable[StreamEvent]:
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        text = delta.get("content") or choice.get("text") or ""
        logprobs = choice.get("logprobs")
        entries = _objects(logprobs.get("content")) if isinstance(logprobs, dict) else ()
        reasoning = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(reasoning, str) and reasoning:
            yield ReasoningDelta(index, reasoning)
        if isinstance(text, str) and (text or entries):
            yield TextDelta(index, text, tuple(entries))
        if isinstance(delta.get("refusal"), str) and delta["refusal"]:
            yield RefusalDelta(index, delta["refusal"])
        audio = delta.get("audio")
        if isinstance(audio, dict):
            rest = {name: audio[name] for name in audio.keys() - {"data", "transcript"}}
            sound, said = _sound(audio.get("data")), str(audio.get("transcript") or "")
            yield AudioDelta(index, sound, said, {CHAT: rest} if rest else NO_EXTRA)
        for position, call in enumerate(_objects(delta.get("tool_calls"))):
            yield from self._call(index, position, call)
        unknown = {name: value for name, value in delta.items() if name not in _KNOWN_DELTA}
        if unknown:
            yield TextDelta(index, "", extra={CHAT: unknown})
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            yield Finish(index, reason)

    def _call(self, index: int, position: int, call: JsonObject) -> Iterable[StreamEvent]:
        number = call.get("index") if isinstance(call.get("index"), int) else position
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        key = (index, number or 0)
        if key not in self._calls:
            self._calls.add(key)
            name = str(function.get("name") or "")
            yield ToolCallStarted(index, key[1], str(call.get("id") or ""), name)
        arguments = function.get("arguments")
        if isinstance(arguments, str) and arguments:
            yield ToolCallDelta(index, key[1], arguments)


def events_of_reply(reply: JsonObject) -> list[StreamEvent]:
    """Return the events that a whole reply amounts to."""
    chunk = dict(reply)
    chunk["choices"] = [
        {**choice, "delta": choice.get("message", {})} for choice in _objects(reply.get("choices"))
    ]
    return ChunkReader().read(chunk)


def _started(chunk: JsonObject) -> Started:
    model, created = chunk.get("model"), chunk.get("created")
    extra = (
        {"system_fingerprint": chunk["system_fingerprint"]}
        if chunk.get("system_fingerprint")
        else {}
    )
    return Started(
        model if isinstance(model, str) else None,
        created if isinstance(created, int) else None,
        {CHAT: extra} if extra else {},
    )


def _streamed(document: JsonObject, *, is_stream: bool, is_usage_asked: bool) -> JsonObject:
    if is_stream:
        document["stream"] = True
        if is_usage_asked:
            document["stream_options"] = {"include_usage": True}
    return document


def _sampling(sampling: Sampling, max_tokens_field: str) -> JsonObject:
    given = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "seed": sampling.seed,
        max_tokens_field: sampling.max_output_tokens,
        "stop": list(sampling.stop) or None,
        "n": sampling.n if sampling.n != 1 else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _message(message: Message) -> JsonObject:
    document: JsonObject = {"role": message.role}
    match message.parts:
        case ():
            if not message.tool_calls:
                document["content"] = ""
        case (TextPart(text=text, extra=extra),) if not extra:
            document["content"] = text
        case parts:
            document["content"] = [_part(part) for part in parts]
    if message.name is not None:
        document["name"] = message.name
    if message.tool_call_id is not None:
        document["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        document["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
                **call.extra.get(CHAT, {}),
            }
            for call in message.tool_calls
        ]
    return document | message.extra.get(CHAT, {})


def _part(part: Part) -> JsonObject:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text, **part.extra.get(CHAT, {})}
        case RefusalPart():
            return {"type": "refusal", "refusal": part.text, **part.extra.get(CHAT, {})}
        case ImagePart():
            image: JsonObject = {"url": part.url}
            if part.detail is not None:
                image["detail"] = part.detail
            return {"type": "image_url", "image_url": image, **part.extra.get(CHAT, {})}
        case AudioPart():
            sound = {"data": part.data, "format": part.format}
            return {"type": "input_audio", "input_audio": sound, **part.extra.get(CHAT, {})}
        case OpaquePart():
            return part.document if part.wire is CHAT else {"type": "text", "text": ""}


def _tool(tool: Tool) -> JsonObject:
    function: JsonObject = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = tool.parameters
    if tool.is_strict is not None:
        function["strict"] = tool.is_strict
    return {"type": "function", "function": function, **tool.extra.get(CHAT, {})}


def _format(wanted: JsonFormat) -> JsonObject:
    if wanted.schema is None:
        return {"type": "json_object"}
    schema: JsonObject = {"name": wanted.name, "schema": wanted.schema}
    if wanted.is_strict is not None:
        schema["strict"] = wanted.is_strict
    if wanted.description is not None:
        schema["description"] = wanted.description
    return {"type": "json_schema", "json_schema": schema}


def _spoken(audio: AudioOutput) -> JsonObject:
    form = "pcm16" if audio.format == "pcm" else audio.format
    return {"voice": audio.voice, "format": form, **audio.extra.get(CHAT, {})}


def _objects(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _sound(data: object) -> bytes:
    try:
        return base64.b64decode(data) if isinstance(data, str) else b""
    except binascii.Error:
        return b""
