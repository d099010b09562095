"""Canonical answers in OpenAI's chat format: one object, or chunks."""

import base64

import orjson

from gateway.dialects.chunks import ROLE_DELTA, ChunkWriter
from gateway.schema.events import (
    AudioDelta,
    Choice,
    Collected,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from gateway.schema.json import JsonObject, Wire
from gateway.schema.sse import DONE
from gateway.schema.usage import Usage
from gateway.schema.wires import openai_usage

CHAT = Wire.OPENAI_CHAT


def render_chat(collected: Collected, *, request_id: str, model: str, created: int) -> bytes:
    """Return a whole `chat.completion`; the upstream's own model name and time win."""
    started = collected.started
    document: JsonObject = {
        "id": f"chatcmpl-{request_id}",
        "object": "chat.completion",
        "created": started.created or created,
        "model": started.model or model,
        "choices": [_choice(choice) for choice in collected.choices],
        **started.extra.get(CHAT, {}),
    }
    if collected.usage is not None:
        document["usage"] = openai_usage(collected.usage)
    return orjson.dumps(document)


class ChatStream:
    """Turns the events of one generation into chunks, the usage's only when it is wanted."""

    def __init__(self, *, request_id: str, model: str, created: int, is_usage_wanted: bool) -> None:
        self._writer = ChunkWriter(f"chatcmpl-{request_id}", created, model)
        self._is_usage_wanted = is_usage_wanted
        self._begun: set[int] = set()

    def render(self, event: StreamEvent) -> bytes:  # noqa: PLR0911 - one case an event.
        """Return the frames that `event` adds; a choice's first one opens the assistant's turn."""
        match event:
            case Started():
                self._writer.start(event)
                return b""
            case Usage():
                return self._writer.usage(event) if self._is_usage_wanted else b""
            case Finish():
                return self._open(event.index) + self._writer.chunk(event.index, {}, event.reason)
            case TextDelta():
                extra = {"logprobs": {"content": list(event.logprobs)}} if event.logprobs else None
                delta = {"content": event.text} if event.text or event.logprobs else {}
                return self._chunk(event.index, delta | event.extra.get(CHAT, {}), extra)
            case ReasoningDelta():
                return self._chunk(event.index, {"reasoning_content": event.text})
            case RefusalDelta():
                return self._chunk(event.index, {"refusal": event.text})
            case AudioDelta():
                sound = base64.b64encode(event.data).decode()
                audio = {"data": sound, "transcript": event.transcript}
                return self._chunk(event.index, {"audio": audio})
            case ToolCallStarted():
                function = {"name": event.name, "arguments": ""}
                call = {
                    "index": event.call,
                    "id": event.id,
                    "type": "function",
                    "function": function,
                }
                return self._chunk(event.index, {"tool_calls": [call]})
            case ToolCallDelta():
                call = {"index": event.call, "function": {"arguments": event.arguments}}
                return self._chunk(event.index, {"tool_calls": [call]})

    def end(self) -> bytes:
        """Return the last frame."""
        return DONE

    def _chunk(self, index: int, delta: JsonObject, extra: JsonObject | None = None) -> bytes:
        return self._open(index) + self._writer.chunk(index, delta, extra=extra)

    def _open(self, index: int) -> bytes:
        if index in self._begun:
            return b""
        self._begun.add(index)
        return self._writer.chunk(index, ROLE_DELTA)


def _choice(choice: Choice) -> JsonObject:
    message: JsonObject = {
        "role": "assistant",
        "content": choice.text or None,
        "refusal": choice.refusal or None,
    }
    if choice.text == "" and not choice.tool_calls and not choice.refusal:
        message["content"] = ""
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.audio or choice.transcript:
        sound = base64.b64encode(choice.audio).decode()
        message["audio"] = {"data": sound, "transcript": choice.transcript}
    if choice.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
                **call.extra.get(CHAT, {}),
            }
            for call in choice.tool_calls
        ]
    return {
        "index": choice.index,
        "message": message,
        "logprobs": {"content": choice.logprobs} if choice.logprobs else None,
        "finish_reason": choice.finish or "stop",
    }
