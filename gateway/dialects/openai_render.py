"""Canonical answers in OpenAI's chat format: one object, or chunks.

Sound has an id and a time until which it could be referred to by it: here that is the time of its
making, since none is kept.
"""

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
        "choices": [_choice(choice, request_id, created) for choice in collected.choices],
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
        self._request_id = request_id
        self._created = created
        self._sounding: set[int] = set()

    def render(self, event: StreamEvent) -> bytes:  # noqa: PLR0911 - one case an event.
        """Return the frames that `event` adds; a choice's first one opens the assistant's turn."""
        match event:
            case Started():
                self._writer.start(event)
                return b""
            case Usage():
                return self._writer.usage(event) if self._is_usage_wanted else b""
            case Finish():
                end = self._end_sound(event.index) + self._open(event.index)
                return end + self._writer.chunk(event.index, {}, event.reason)
            case TextDelta():
                extra = {"logprobs": {"content": list(event.logprobs)}} if event.logprobs else None
                delta = {"content": event.text} if event.text or event.logprobs else {}
                return self._chunk(event.index, delta | event.extra.get(CHAT, {}), extra)
            case ReasoningDelta():
                return self._chunk(event.index, {"reasoning_content": event.text})
            case RefusalDelta():
                return self._chunk(event.index, {"refusal": event.text})
            case AudioDelta():
                return self._chunk(event.index, {"audio": self._sound(event)})
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

    def _sound(self, event: AudioDelta) -> JsonObject:
        audio: JsonObject = {"id": _sound_id(self._request_id, event.index)}
        if event.transcript:
            audio["transcript"] = event.transcript
        if event.data:
            audio["data"] = base64.b64encode(event.data).decode()
        audio |= event.extra.get(CHAT, {})
        if "expires_at" in audio:
            self._sounding.discard(event.index)
        else:
            self._sounding.add(event.index)
        return audio

    def _end_sound(self, index: int) -> bytes:
        """Return the last chunk of a choice's sound, which has nothing but the time."""
        if index not in self._sounding:
            return b""
        self._sounding.discard(index)
        audio = {"id": _sound_id(self._request_id, index), "expires_at": self._created}
        return self._writer.chunk(index, {"audio": audio})

    def _chunk(self, index: int, delta: JsonObject, extra: JsonObject | None = None) -> bytes:
        return self._open(index) + self._writer.chunk(index, delta, extra=extra)

    def _open(self, index: int) -> bytes:
        if index in self._begun:
            return b""
        self._begun.add(index)
        return self._writer.chunk(index, ROLE_DELTA)


def _choice(choice: Choice, request_id: str, created: int) -> JsonObject:
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
        message["audio"] = {
            "id": _sound_id(request_id, choice.index),
            "expires_at": created,
            "data": base64.b64encode(choice.audio).decode(),
            "transcript": choice.transcript,
            **choice.audio_extra.get(CHAT, {}),
        }
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


def _sound_id(request_id: str, index: int) -> str:
    return f"audio_{request_id}_{index}"
