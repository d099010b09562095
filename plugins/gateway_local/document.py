"""Canonical requests → what a small model in llama.cpp understands; pure functions.

The turns are rewritten where the native form misleads small models: they repeat a call whose
result is given in a `tool` turn, and answer when the same result is a user's words (measured with
both sizes of Qwen2.5-Coder, 2026-11).
"""

from dataclasses import replace

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
)
from gateway.schema.failure import Failure
from gateway.schema.json import NO_EXTRA, Extra, JsonObject, Wire
from gateway.sdk import UpstreamError
from gateway.sdk.openai_wire import completion_document_of, document_of

# llama.cpp takes 32 bits, and reads the highest number as "random".
_SEEDS = 2**32 - 1
_PASSED = {"top_k", "min_p", "typical_p", "repeat_penalty", "repeat_last_n", "logit_bias"}


def chat_document(request: ChatRequest, *, attempt_of_n: int = 0) -> JsonObject:
    """Return the document for answer number `attempt_of_n` (from 0) to `request`.

    Tools are offered when the model is free to use them; a schema enforces a call that the caller
    demands. Raises `UpstreamError` for pictures, sound and other parts that are no text.
    """
    forced = forced_tools(request)
    offered = request.tools if forced or are_tools_free(request) else ()
    plain = replace(
        request,
        messages=tuple(_turns(request.messages)),
        sampling=_sampling(request.sampling, attempt_of_n),
        tools=offered,
        # With "none" the template still shows the tools, and the schema alone decides the form.
        tool_choice="none" if forced else "auto",
        response_format=call_format(forced) if forced else request.response_format,
        extra=_extra(request.extra, Wire.OPENAI_CHAT),
    )
    return document_of(plain, is_stream=True)


def completion_document(
    request: CompletionRequest, prompt: str, *, attempt_of_n: int = 0
) -> JsonObject:
    """Return the document for one continuation of `prompt`; raise `UpstreamError` for a suffix."""
    if request.suffix is not None:
        raise UpstreamError(
            Failure.UNSUPPORTED,
            "local: this model writes on; it cannot fill in before a suffix",
            param="suffix",
        )
    plain = replace(
        request,
        prompts=(prompt,),
        is_echoed=False,
        sampling=_sampling(request.sampling, attempt_of_n),
        extra=_extra(request.extra, Wire.OPENAI_COMPLETIONS),
    )
    return completion_document_of(plain, is_stream=True)


def are_tools_free(request: ChatRequest) -> bool:
    """Say whether the model may choose to call a tool in this turn.

    Not right after results: small models then call again instead of answering.
    """
    is_result = bool(request.messages) and request.messages[-1].role == "tool"
    return bool(request.tools) and request.tool_choice == "auto" and not is_result


def forced_tools(request: ChatRequest) -> tuple[Tool, ...]:
    """Return the tools of which the caller demands one.

    Raises `UpstreamError` when the one it names is not declared.
    """
    choice = request.tool_choice
    if choice == "required":
        if not request.tools:
            raise _no_such_tool("tool_choice is 'required', but no tools are given")
        return request.tools
    if isinstance(choice, NamedTool):
        named = tuple(tool for tool in request.tools if tool.name == choice.name)
        if not named:
            raise _no_such_tool(f"tool_choice names {choice.name!r}, which is not among the tools")
        return named
    return ()


def call_format(tools: tuple[Tool, ...]) -> JsonFormat:
    """Return the format that holds an answer to a call of one of `tools`."""
    calls: list[JsonObject] = []
    definitions: JsonObject = {}
    for number, tool in enumerate(tools):
        # References start at the root of a document, which the parameters no longer are.
        key = f"tool{number}"
        definitions[key] = _rooted(tool.parameters or {"type": "object"}, f"#/$defs/{key}/")
        calls.append(
            {
                "type": "object",
                "properties": {
                    "name": {"const": tool.name},
                    "arguments": {"$ref": f"#/$defs/{key}"},
                },
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
        )
    return JsonFormat(schema={"anyOf": calls, "$defs": definitions}, name="call")


def _no_such_tool(message: str) -> UpstreamError:
    return UpstreamError(Failure.CALLER_FAULT, message, param="tool_choice")


def _rooted(schema: object, root: str) -> object:
    """Return a copy of `schema` whose local references start at `root`."""
    if isinstance(schema, list):
        return [_rooted(item, root) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {name: _rooted(value, root) for name, value in schema.items()}
    reference = copy.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        copy["$ref"] = (root + reference.removeprefix("#").removeprefix("/")).rstrip("/")
    return copy


def _turns(messages: tuple[Message, ...]) -> list[Message]:
    """Return the conversation as one system turn first, then user and assistant turns."""
    system = [_text(message) for message in messages if message.role in {"system", "developer"}]
    turns = [_turn("system", "\n\n".join(system))] if system else []
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    for message in messages:
        match message.role:
            case "system" | "developer":
                continue
            case "assistant":
                turns.append(_turn("assistant", _said(message)))
            case "user":
                _hear(turns, _text(message))
            case "tool":
                name = names.get(message.tool_call_id or "") or message.name or "you called"
                _hear(turns, f"Tool {name} returned: {_text(message)}")
    if messages and messages[-1].role == "tool":
        _hear(turns, "Use it to answer my question.")
    return turns


def _hear(turns: list[Message], text: str) -> None:
    """Add to the user's turn: results of several tools, and what follows them, are one turn."""
    if turns and turns[-1].role == "user":
        text = f"{turns.pop().text}\n\n{text}"
    turns.append(_turn("user", text))


def _turn(role: Role, text: str) -> Message:
    return Message(role=role, parts=(TextPart(text),))


def _said(message: Message) -> str:
    """Return an assistant's words; its calls in the form in which these models write them."""
    calls = [
        f'{{"name": "{call.name}", "arguments": {call.arguments or "{}"}}}'
        for call in message.tool_calls
    ]
    return "\n".join(text for text in (_text(message), *calls) if text)


def _text(message: Message) -> str:
    return "\n".join(_words(part) for part in message.parts)


def _words(part: Part) -> str:
    match part:
        case TextPart() | RefusalPart():
            return part.text
        case ImagePart():
            raise _unreadable("pictures")
        case AudioPart():
            raise _unreadable("sound")
        case OpaquePart():
            raise _unreadable(f"parts of the kind {part.document.get('type')!r}")


def _unreadable(what: str) -> UpstreamError:
    return UpstreamError(
        Failure.UNSUPPORTED, f"local: this model reads text, not {what}", param="messages"
    )


def _sampling(sampling: Sampling, attempt_of_n: int) -> Sampling:
    seed = sampling.seed
    return replace(
        sampling,
        seed=None if seed is None else (seed + attempt_of_n) % _SEEDS,
        n=1,
        reasoning_effort=None,
    )


def _extra(extra: Extra, wire: Wire) -> Extra:
    """Return the fields that only llama.cpp knows and that steer nothing but the sampling."""
    fields = {name: value for name, value in extra.get(wire, {}).items() if name in _PASSED}
    return {wire: fields} if fields else NO_EXTRA
