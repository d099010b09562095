"""The tools of an OpenAI chat body: checked in place, and in canonical form.

Source: OpenAI API reference, Chat Completions, `tools` and `tool_choice`.
"""

import re
from typing import Any

from gateway.dialects.fields import refusal
from gateway.schema.ask import Feature
from gateway.schema.chat import NamedTool, Tool, ToolChoice
from gateway.schema.failure import CallError
from gateway.schema.json import NO_EXTRA, JsonObject, Wire

_TOOL_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
_MAX_TOOLS = 1024


def check_tools(document: JsonObject) -> set[Feature]:
    """Return what `tools` and `tool_choice` need; raise `invalid_parameter` naming the place."""
    tools = document.get("tools")
    if tools is None:
        tools = []
    if not isinstance(tools, list) or len(tools) > _MAX_TOOLS:
        raise refusal("tools", tools, f"an array of at most {_MAX_TOOLS} tools")
    names = {_check_tool(tool, number) for number, tool in enumerate(tools)}
    choice = document.get("tool_choice")
    if choice is None or choice in ("auto", "none"):
        return {Feature.TOOLS} if tools and choice != "none" else set()
    if choice == "required":
        if not tools:
            raise CallError(
                "invalid_parameter",
                "tool_choice is required but there are no tools",
                param="tool_choice",
            )
        return {Feature.TOOLS}
    kind = choice.get("type") if isinstance(choice, dict) else None
    if isinstance(kind, str) and kind != "function":
        return {Feature.TOOLS}  # A choice of a newer API: the provider may know it.
    function = choice.get("function") if kind == "function" else None
    named = function.get("name") if isinstance(function, dict) else None
    if not isinstance(named, str) or named not in names:
        wanted = '"auto", "none", "required" or an object naming one of tools'
        raise refusal("tool_choice", choice if named is None else named, wanted)
    return {Feature.TOOLS}


def tools_of(document: JsonObject) -> tuple[Tool, ...]:
    """Return the tools of a checked document."""
    return tuple(_tool(tool) for tool in document.get("tools") or ())


def tool_choice_of(document: JsonObject) -> ToolChoice:
    """Return the choice among them; raise for one that only a newer API knows."""
    choice = document.get("tool_choice")
    if choice is None:
        return "auto"
    if not isinstance(choice, dict):
        checked: ToolChoice = choice
        return checked
    if choice["type"] != "function":
        raise CallError(
            "unsupported_feature",
            f"this model takes no tool_choice of type {choice['type'][:40]!r}",
            param="tool_choice",
        )
    return NamedTool(choice["function"]["name"])


def _check_tool(tool: Any, number: int) -> str | None:  # Any: a JSON value, checked here.
    if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
        raise refusal(f"tools[{number}]", tool, "an object with a type")
    if tool["type"] != "function":
        return None  # A tool of a newer API: the provider may know it.
    function = tool.get("function")
    if not isinstance(function, dict):
        raise refusal(f"tools[{number}].function", function, "an object with a name")
    name = function.get("name")
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
        raise refusal(
            f"tools[{number}].function.name", name, "letters, digits, _ . and -, at most 128"
        )
    for field, kind, wanted in (
        ("parameters", dict, "a JSON schema"),
        ("description", str, "a string"),
        ("strict", bool, "a boolean"),
    ):
        if not isinstance(function.get(field), kind | None):
            raise refusal(f"tools[{number}].function.{field}", function[field], wanted)
    return name


def _tool(tool: JsonObject) -> Tool:
    if tool["type"] != "function":
        raise CallError(
            "unsupported_feature",
            f"this model takes no tools of type {tool['type'][:40]!r}",
            param="tools",
        )
    function = tool["function"]
    rest = {name: value for name, value in tool.items() if name not in {"type", "function"}}
    return Tool(
        name=function["name"],
        description=function.get("description"),
        parameters=function.get("parameters") or {},
        is_strict=function.get("strict"),
        extra={Wire.OPENAI_CHAT: rest} if rest else NO_EXTRA,
    )
