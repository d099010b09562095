"""How many tokens a text has, where nobody has counted them."""

from gateway.schema.ask import Ask, Request
from gateway.schema.chat import AudioPart, ChatRequest, CompletionRequest, ImagePart, OpaquePart
from gateway.schema.embeddings import EmbeddingRequest
from gateway.schema.moderation import ModerationRequest

CHARS_PER_TOKEN = 4
"""What English has on average with the tokenisers in use (OpenAI's help pages)."""
PICTURE_TOKENS = 765
"""What OpenAI counts for a picture of 1024 x 1024 (its page on vision)."""

_SAID = ("messages", "prompt", "suffix", "input", "instructions", "system", "tools", "functions")
_BYTES = frozenset({"image_url", "input_audio", "file", "source"})
"""Parts that hold no words: a picture's worth of tokens each."""
_MARKS = frozenset({"role", "type", "id", "tool_call_id"})


def tokens_of(characters: int) -> int:
    """Return the tokens of so many characters, rounded up."""
    return -(-characters // CHARS_PER_TOKEN)


def input_tokens(ask: Ask) -> int:
    """Return about as many tokens as the request has; raises what `Ask.meaning` raises."""
    if ask.wire is not None:
        return tokens_of(_size([ask.document.get(name) for name in _SAID]))
    return tokens_of(_said(ask.meaning()))


def _said(request: Request) -> int:
    match request:
        case ChatRequest():
            parts = [part for message in request.messages for part in message.parts]
            calls = [call for message in request.messages for call in message.tool_calls]
            tools = [(tool.name, tool.description or "", tool.parameters) for tool in request.tools]
            return (
                sum(map(_part, parts))
                + sum(len(call.name) + len(call.arguments) for call in calls)
                + _size(tools)
            )
        case CompletionRequest():
            return _size([*request.prompts, request.suffix])
        case EmbeddingRequest() | ModerationRequest():
            return _size(request.texts)
        case _:
            return 0  # Pictures and sound are not counted in tokens here.


def _part(part: object) -> int:
    match part:
        case ImagePart() | AudioPart():
            return PICTURE_TOKENS * CHARS_PER_TOKEN
        case OpaquePart():
            return _size(part.document)
        case _:
            return len(getattr(part, "text", ""))


def _size(value: object) -> int:
    """Return the characters in a JSON value, by a loop: its depth is the caller's choice."""
    size = 0
    rest: list[object] = [value]
    while rest:
        match rest.pop():
            case str() as text:
                size += len(text)
            case bool():
                pass
            case int():
                size += CHARS_PER_TOKEN  # Of an array of tokens.
            case dict() as members:
                for name, member in members.items():
                    if name in _BYTES:
                        size += PICTURE_TOKENS * CHARS_PER_TOKEN
                    elif name not in _MARKS:
                        rest.append(member)
            case list() | tuple() as items:
                rest.extend(items)
    return size
