"""How a model's requests are changed before they are sent: `models.<name>.transforms`.

The names are OpenAI's. What OpenAI does not know passes through, with whatever value.
"""

import math
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from pydantic import Field, field_validator

from gateway.config.problems import Finding, Loc
from gateway.config.section import Section

MAX_PREFIX_CHARS = 32_768
MAX_STOPS = 16


class Transforms(Section):
    """`models.<name>.transforms`: applied as rename, remove, default, set, system_prefix."""

    rename: dict[str, str] = Field(default_factory=dict)
    remove: tuple[str, ...] = ()
    default: dict[str, Any] = Field(default_factory=dict)  # Any: JSON values, checked below.
    set: dict[str, Any] = Field(default_factory=dict)  # Any: as above.
    system_prefix: str | None = Field(None, min_length=1, max_length=MAX_PREFIX_CHARS)
    """What stands before the system message; where there is none it is one."""

    @field_validator("default", "set")
    @classmethod
    def _typed(cls, given: dict[str, Any]) -> dict[str, Any]:  # Any: JSON values.
        # What comes from the environment is text.
        return {name: _typed(name, value) for name, value in given.items()}


def _typed(name: str, value: Any) -> Any:  # Any: a JSON value.
    is_number = name in NUMBERS or name in INTEGERS
    if isinstance(value, str) and is_number and _DECIMAL.fullmatch(value):
        return float(value) if name in NUMBERS or "." in value else int(value)
    return value


NUMBERS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "temperature": (0.0, 2.0),
        "top_p": (0.0, 1.0),
        "presence_penalty": (-2.0, 2.0),
        "frequency_penalty": (-2.0, 2.0),
    }
)
INTEGERS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "n": (1, 128),
        "seed": (-(2**63), 2**63 - 1),
        "max_tokens": (1, 10_000_000),
        "max_completion_tokens": (1, 10_000_000),
        "top_logprobs": (0, 20),
    }
)
BOOLEANS = frozenset({"logprobs", "parallel_tool_calls"})
TEXTS: Mapping[str, int] = MappingProxyType({"reasoning_effort": 32, "user": 512})
"""What is known of values, as the dialects know it of callers' (a test compares them)."""
FIXED = frozenset(
    {
        *("model", "messages", "prompt", "suffix", "echo", "best_of", "input", "stream"),
        *("stream_options", "tools", "tool_choice", "functions", "function_call"),
        *("response_format", "modalities", "audio", "dynagate"),
        *("api_base", "base_url", "api_key", "extra_headers", "extra_body", "extra_query"),
    }
)
"""Not parameters: what is asked, who can answer it, and how the answer comes."""
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


def wrong_transforms(rules: Transforms, loc: Loc) -> Iterator[Finding]:
    """Yield what cannot be meant in the section at `loc`."""
    for section in ("set", "default"):
        for name, value in getattr(rules, section).items():
            place: Loc = (*loc, section, name)
            wrong_name = _wrong_name(name)
            if wrong_name is not None:
                yield Finding(place, wrong_name, is_about_key=True)
            elif (wanted := wrong_value(name, value)) is not None:
                yield Finding(place, f"should be {wanted}")
    for index, name in enumerate(rules.remove):
        if (wrong_name := _wrong_name(name)) is not None:
            yield Finding((*loc, "remove", index), wrong_name)
        elif name in rules.set:
            message = f"{name} is set, which replaces what the caller sends: leave it out here"
            yield Finding((*loc, "remove", index), message)
    for name in rules.default.keys() & rules.set.keys():
        message = f"{name} is set in any case: leave it out here"
        yield Finding((*loc, "default", name), message, is_about_key=True)
    yield from _wrong_renames(rules, loc)


def _wrong_renames(rules: Transforms, loc: Loc) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for old, new in rules.rename.items():
        place: Loc = (*loc, "rename", old)
        if (wrong_name := _wrong_name(old)) is not None:
            yield Finding(place, wrong_name, is_about_key=True)
        elif (wrong_name := _wrong_name(new)) is not None:
            yield Finding(place, wrong_name)
        elif new in rules.rename:
            yield Finding(place, f"{new} is renamed itself: write the last name at once")
        elif new in taken:
            yield Finding(place, f"{taken[new]} becomes {new} already: keep one")
        taken.setdefault(new, old)


def _wrong_name(name: str) -> str | None:
    if name in FIXED:
        return f"{name} is no parameter: a transform changes how an answer is made, not what it is"
    if not _NAME.fullmatch(name):
        return "a parameter's name has letters, digits and _.-, 64 at most"
    return None


def wrong_value(name: str, value: object) -> str | None:  # noqa: PLR0911 - one case a sort.
    """Return what a value of the parameter `name` should be instead, None if it is fine."""
    if name in NUMBERS:
        low, high = NUMBERS[name]
        is_fine = _is_number(value) and low <= value <= high  # type: ignore[operator] # A number.
        return None if is_fine else f"a number from {low:g} to {high:g}"
    if name in INTEGERS:
        least, most = INTEGERS[name]
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        is_fine = is_whole and least <= value <= most  # type: ignore[operator] # As above.
        return None if is_fine else f"a whole number from {least} to {most}"
    if name in BOOLEANS:
        return None if isinstance(value, bool) else "true or false"
    if name in TEXTS:
        is_fine = isinstance(value, str) and len(value) <= TEXTS[name] and "\0" not in value
        return None if is_fine else f"a text of {TEXTS[name]} characters at most"
    if name == "stop":
        return None if _are_stops(value) else f"a text, or a list of at most {MAX_STOPS} texts"
    if value is None:
        return "a value; what is not to be sent stands under remove"
    return None if _is_json(value) else "what JSON can say"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_stops(value: object) -> bool:
    if isinstance(value, str):
        return True
    is_list = isinstance(value, list | tuple) and len(value) <= MAX_STOPS
    return is_list and all(isinstance(one, str) for one in value)  # type: ignore[attr-defined]


def _is_json(value: object) -> bool:
    match value:
        case None | bool() | str():
            return True
        case int():
            return -(2**63) <= value < 2**63
        case float():
            return math.isfinite(value)
        case list():
            return all(map(_is_json, value))
        case dict():
            return all(isinstance(name, str) and _is_json(one) for name, one in value.items())
        case _:  # YAML knows dates, too.
            return False
