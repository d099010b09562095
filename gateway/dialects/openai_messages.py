"""The turns of an OpenAI chat body: checked in place, and as canonical messages.

Source: OpenAI API reference, Chat Completions, `messages`.
"""

from typing import Any, cast

from gateway.dialects.fields import refusal
from gateway.schema.ask import Feature
from gateway.schema.chat import (
    AudioPart,
    ImagePart,
    Message,
    OpaquePart,
    Part,
    RefusalPart,
    Role,
    TextPart,
    ToolCall,
)
from gateway.schema.failure import CallError
from gateway.schema.json import NO_EXTRA, Extra, JsonObject, Wire

_SPEAKERS = frozenset({"system", "developer", "user", "assistant", "function"})
_ROLES = _SPEAKERS | {"tool"}
_SCHEMES = ("http://", "https://", "data:")
_PART_FIELDS = {
    "text": "text",
    "image_url": "image_url",
    "input_audio": "input_audio",
    "refusal": "refusal",
}
_PART_NEEDS = {"image_url": Feature.VISION, "input_audio": Feature.AUDIO_INPUT}
_MESSAGE_FIELDS = {"role", "content", "name", "tool_calls", "tool_call_id", "refusal"}


def check_messages(
    messages: Any,  # Any: a JSON value, checked here.
) -> tuple[set[Feature], dict[str, str]]:
    """Return what the turns need, and the URLs of pictures on the web with where each stands.

    Raises `invalid_parameter` naming the place that is wrong.
    """
    if not isinstance(messages, list) or not messages:
        raise refusal("messages", messages, "a non-empty array of messages")
    needs: set[Feature] = set()
    links: dict[str, str] = {}
    for number, message in enumerate(messages):
        if _is_plain(message):
            continue
        place = f"messages[{number}]"
        if not isinstance(message, dict):
            raise refusal(place, message, "an object with role and content")
        _check_turn(message, place, needs, links)
    return needs, links


def _is_plain(message: object) -> bool:
    """Say whether a turn is words and nothing else, as most are: those need no second look."""
    if not isinstance(message, dict) or len(message) != 2:  # noqa: PLR2004 - role and content.
        return False
    role = message.get("role")
    return isinstance(message.get("content"), str) and isinstance(role, str) and role in _SPEAKERS


def to_messages(messages: list[JsonObject]) -> tuple[Message, ...]:
    """Return checked turns in canonical form."""
    return tuple(_message(message) for message in messages)


def _check_turn(
    message: JsonObject, place: str, needs: set[Feature], links: dict[str, str]
) -> None:
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in _ROLES:
        raise refusal(f"{place}.role", role, f"one of {', '.join(sorted(_ROLES))}")
    if isinstance(content, list):
        _check_parts(content, f"{place}.content", needs, links)
    elif not isinstance(content, str) and not (
        content is None and (role == "assistant" or "tool_calls" in message)
    ):
        raise refusal(f"{place}.content", content, "a string or an array of parts")
    for field in ("name", "refusal"):
        if not isinstance(message.get(field), str | None):
            raise refusal(f"{place}.{field}", message[field], "a string")
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise refusal(f"{place}.tool_call_id", message.get("tool_call_id"), "a string")
    if message.get("tool_calls") is not None:
        _check_calls(message["tool_calls"], f"{place}.tool_calls")


def _check_parts(
    parts: list[Any],  # Any: JSON values.
    array: str,
    needs: set[Feature],
    links: dict[str, str],
) -> None:
    for position, part in enumerate(parts):
        place = f"{array}[{position}]"
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise refusal(place, part, "an object with a type")
        kind = part["type"]
        field = _PART_FIELDS.get(kind)
        if field is None:
            continue  # A part of a newer API: the provider may know it.
        said = part.get(field)
        if kind in {"text", "refusal"}:
            if not isinstance(said, str):
                raise refusal(f"{place}.{field}", said, "a string")
            continue
        needs.add(_PART_NEEDS[kind])
        if not isinstance(said, dict):
            raise refusal(f"{place}.{field}", said, "an object")
        if kind == "image_url":
            _check_image(said, f"{place}.{field}", links)
        else:
            _check_audio(said, f"{place}.{field}")


def _check_image(image: JsonObject, place: str, links: dict[str, str]) -> None:
    url = image.get("url")
    if not isinstance(url, str):
        raise refusal(f"{place}.url", url, "a string")
    if not url.startswith(_SCHEMES):
        raise refusal(f"{place}.url", url, "an http, https or data URL")
    if not isinstance(image.get("detail"), str | None):
        raise refusal(f"{place}.detail", image["detail"], "auto, low or high")
    if not url.startswith("data:"):
        links.setdefault(url, f"{place}.url")


def _check_audio(sound: JsonObject, place: str) -> None:
    for field, wanted in (("data", "a string"), ("format", "a string such as wav or mp3")):
        if not isinstance(sound.get(field), str):
            raise refusal(f"{place}.{field}", sound.get(field), wanted)


def _check_calls(calls: Any, place: str) -> None:  # Any: a JSON value, checked here.
    if not isinstance(calls, list):
        raise refusal(place, calls, "an array")
    for position, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(call.get("id"), str):
            raise refusal(f"{place}[{position}]", call, "an object with an id")
        kind = call.get("type", "function")
        if not isinstance(kind, str):
            raise refusal(f"{place}[{position}].type", kind, "a string")
        if kind != "function":
            continue
        if not isinstance(function, dict) or not all(
            isinstance(function.get(field), str) for field in ("name", "arguments")
        ):
            wanted = "an object with a name and, as a string, arguments"
            raise refusal(f"{place}[{position}].function", function, wanted)


def _message(message: JsonObject) -> Message:
    role = message["role"]
    if role == "function":
        raise CallError(
            "unsupported_feature",
            "this model takes no function turns: send tool_calls and tool turns instead",
            param="messages",
        )
    content = message.get("content")
    parts: tuple[Part, ...] = ()
    if isinstance(content, str):
        parts = (TextPart(content),) if content else ()
    elif isinstance(content, list):
        parts = tuple(_part(part) for part in content)
    if isinstance(message.get("refusal"), str):
        parts = (*parts, RefusalPart(message["refusal"]))
    return Message(
        role=cast(Role, role),  # Checked against the same names.
        parts=parts,
        name=message.get("name"),
        tool_calls=tuple(_call(call) for call in message.get("tool_calls") or ()),
        tool_call_id=message.get("tool_call_id"),
        extra=_rest(message, _MESSAGE_FIELDS),
    )


def _part(part: JsonObject) -> Part:
    match part["type"]:
        case "text":
            return TextPart(part["text"], _rest(part, {"type", "text"}))
        case "refusal":
            return RefusalPart(part["refusal"], _rest(part, {"type", "refusal"}))
        case "image_url":
            image = part["image_url"]
            detail = image.get("detail")
            known = detail if detail in {"auto", "low", "high"} else None
            return ImagePart(image["url"], known, _rest(part, {"type", "image_url"}))
        case "input_audio":
            sound = part["input_audio"]
            return AudioPart(sound["data"], sound["format"], _rest(part, {"type", "input_audio"}))
        case _:  # Open on purpose: parts of newer APIs travel as they are.
            return OpaquePart(Wire.OPENAI_CHAT, part)


def _call(call: JsonObject) -> ToolCall:
    function = call.get("function") or {}
    return ToolCall(
        id=call["id"],
        name=str(function.get("name", "")),
        arguments=str(function.get("arguments", "")),
        extra=_rest(call, {"id", "type", "function"}),
    )


def _rest(document: JsonObject, known: set[str]) -> Extra:
    rest = {name: value for name, value in document.items() if name not in known}
    return {Wire.OPENAI_CHAT: rest} if rest else NO_EXTRA
