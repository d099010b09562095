"""The words of a request that guards look through, and the request with other words."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gateway.schema.ask import Request
from gateway.schema.audio import SpeechRequest, TranscriptionRequest
from gateway.schema.chat import (
    ChatRequest,
    CompletionRequest,
    Message,
    Part,
    RefusalPart,
    TextPart,
)
from gateway.schema.embeddings import EmbeddingRequest
from gateway.schema.images import ImageEditRequest, ImageRequest
from gateway.schema.json import JsonObject, Wire
from gateway.schema.moderation import ModerationRequest

Slot = tuple[Any, Any, str | None]  # Any: a JSON object and a name in it, or array and index.
"""Where a text stands, and what errors call the place; None if it is not the caller's."""


def slots_of(wire: Wire, document: JsonObject, *, added_turns: int = 0) -> Iterator[Slot]:
    """Yield the places of all words in a checked document of OpenAI's wires; tokens are none.

    The first `added_turns` are the operator's, and the caller does not count them.
    """
    if wire is Wire.OPENAI_CHAT:
        for number, turn in enumerate(document["messages"], -added_turns):
            for holder, name, place in _of_turn(turn, f"messages[{number}]"):
                yield holder, name, place if number >= 0 else None
        return
    for name in _TEXTS.get(wire, ()):
        said = document.get(name)
        if isinstance(said, str):
            yield document, name, name
        elif isinstance(said, list):
            for index, text in enumerate(said):
                if isinstance(text, str):
                    yield said, index, f"{name}[{index}]"


def tokens_in(wire: Wire, document: JsonObject) -> str | None:
    """Return the field that has an array of what is no text, such as tokens, which nobody reads."""
    for name in _TEXTS.get(wire, ()):
        said = document.get(name)
        if isinstance(said, list) and not all(isinstance(text, str) for text in said):
            return name
    return None


_TEXTS: Mapping[Wire, tuple[str, ...]] = MappingProxyType(
    {Wire.OPENAI_COMPLETIONS: ("prompt", "suffix"), Wire.OPENAI_EMBEDDINGS: ("input",)}
)


def _of_turn(turn: JsonObject, place: str) -> Iterator[Slot]:
    content = turn.get("content")
    if isinstance(content, str):
        yield turn, "content", f"{place}.content"
    elif isinstance(content, list):
        for position, part in enumerate(content):
            for name in ("text", "refusal"):
                if isinstance(part.get(name), str):
                    yield part, name, f"{place}.content[{position}].{name}"
    if isinstance(turn.get("refusal"), str):
        yield turn, "refusal", f"{place}.refusal"
    for position, call in enumerate(turn.get("tool_calls") or ()):
        function = call.get("function")
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            yield function, "arguments", f"{place}.tool_calls[{position}].function.arguments"
    called = turn.get("function_call")
    if isinstance(called, dict) and isinstance(called.get("arguments"), str):
        yield called, "arguments", f"{place}.function_call.arguments"


def with_texts(request: Request, change: Callable[[str], str]) -> Request:
    """Return a canonical request with `change` done to each of its texts, always in one order."""
    match request:
        case ChatRequest():
            turns = tuple(_turn(turn, change) for turn in request.messages)
            return replace(request, messages=turns)
        case CompletionRequest():
            suffix = None if request.suffix is None else change(request.suffix)
            return replace(request, prompts=tuple(map(change, request.prompts)), suffix=suffix)
        case EmbeddingRequest() | ModerationRequest():
            return replace(request, texts=tuple(map(change, request.texts)))
        case ImageRequest() | ImageEditRequest():
            return replace(request, prompt=change(request.prompt))
        case SpeechRequest():
            told = None if request.instructions is None else change(request.instructions)
            return replace(request, text=change(request.text), instructions=told)
        case TranscriptionRequest():
            prompt = None if request.prompt is None else change(request.prompt)
            return replace(request, prompt=prompt)


def _turn(turn: Message, change: Callable[[str], str]) -> Message:
    parts = tuple(_part(part, change) for part in turn.parts)
    calls = tuple(replace(call, arguments=change(call.arguments)) for call in turn.tool_calls)
    return replace(turn, parts=parts, tool_calls=calls)


def _part(part: Part, change: Callable[[str], str]) -> Part:
    if isinstance(part, TextPart | RefusalPart):
        return replace(part, text=change(part.text))
    return part
