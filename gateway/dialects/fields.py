"""The kinds of value a parameter can have, with their ranges, and how callers' values are read.

A kind reads text (query strings, forms) and JSON values, and describes itself as a JSON schema.
What does not fit is `invalid_parameter`: nothing is clamped, rounded or dropped.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject

INT64_LOW = -(2**63)
INT64_HIGH = 2**63 - 1
SHOWN_CHARS = 80
"""At most this much of a caller's value is repeated to the caller."""


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number from `low` to `high`, both included."""

    low: float
    high: float

    def from_text(self, name: str, raw: str) -> float:
        """Return the number that `raw` spells in ASCII digits; spaces around it are allowed.

        An unescaped `+` arrives as a space, so `?temperature=+0.7` reads as it was meant.
        """
        digits = raw.strip(" ")
        if len(digits) > _MAX_DIGITS or not _DECIMAL.fullmatch(digits):
            raise self._refusal(name, raw)
        return self._within(name, float(digits), raw)

    def from_json(self, name: str, value: Any) -> float:  # Any: a JSON value, checked here.
        """Return `value` if it is a JSON number in range; integers count, booleans do not."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refusal(name, value)
        return self._within(name, value, value)

    def describe(self) -> JsonObject:
        """Return the JSON schema of this kind."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}

    def _within(self, name: str, number: float, given: Any) -> float:  # Any: what is shown.
        # NaN fails every comparison, the infinities fail one even when a bound is itself infinite.
        if not self.low <= number <= self.high or number in {math.inf, -math.inf}:
            raise self._refusal(name, given)
        return float(number)

    def _refusal(self, name: str, given: Any) -> CallError:  # Any: what is shown.
        return refusal(name, given, f"a number from {self.low:g} to {self.high:g}")


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number from `low` to `high`, both included; a signed 64-bit one unless narrower."""

    low: int = INT64_LOW
    high: int = INT64_HIGH

    def from_text(self, name: str, raw: str) -> int:
        """Return the integer that `raw` spells in ASCII digits; spaces around it are allowed."""
        digits = raw.strip(" ")
        if len(digits) > _MAX_DIGITS or not _WHOLE.fullmatch(digits):
            raise self._refusal(name, raw)
        return self._within(name, int(digits), raw)

    def from_json(self, name: str, value: Any) -> int:  # Any: a JSON value, checked here.
        """Return `value` if it is a JSON integer in range; `5.0` and booleans are not integers."""
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._refusal(name, value)
        return self._within(name, value, value)

    def describe(self) -> JsonObject:
        """Return the JSON schema of this kind."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def _within(self, name: str, number: int, given: Any) -> int:  # Any: what is shown.
        if not self.low <= number <= self.high:
            raise self._refusal(name, given)
        return number

    def _refusal(self, name: str, given: Any) -> CallError:  # Any: what is shown.
        return refusal(name, given, f"an integer from {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class Boolean:
    """Yes or no."""

    def from_text(self, name: str, raw: str) -> bool:
        """Return what `true 1 yes on` or `false 0 no off` say, in any case; empty is true."""
        word = raw.lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise refusal(name, raw, "a boolean: true, 1, yes, on, or false, 0, no, off")

    def from_json(self, name: str, value: Any) -> bool:  # Any: a JSON value, checked here.
        """Return `value` if it is `true` or `false`."""
        if not isinstance(value, bool):
            raise refusal(name, value, "a boolean: true or false")
        return value

    def describe(self) -> JsonObject:
        """Return the JSON schema of this kind."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Text:
    """Words without NUL, at most `max_chars` code points (None: what the server lets in)."""

    max_chars: int | None
    is_blank_ok: bool = True

    def from_text(self, name: str, raw: str) -> str:
        """Return `raw` as it is, untrimmed."""
        if "\0" in raw:
            raise refusal(name, raw, "text without NUL characters")
        if self.max_chars is not None and len(raw) > self.max_chars:
            raise refusal(name, raw, f"text of 0 to {self.max_chars} characters, not {len(raw)}")
        if not self.is_blank_ok and not raw.strip():
            raise refusal(name, raw, "text that is not blank")
        return raw

    def from_json(self, name: str, value: Any) -> str:  # Any: a JSON value, checked here.
        """Return `value` if it is a JSON string that fits."""
        if not isinstance(value, str):
            raise refusal(name, value, "a string")
        return self.from_text(name, value)

    def describe(self) -> JsonObject:
        """Return the JSON schema of this kind."""
        schema: JsonObject = {"type": "string"}
        if self.max_chars is not None:
            schema["maxLength"] = self.max_chars
        if not self.is_blank_ok:
            schema["pattern"] = r"\S"
        return schema


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `values`, letter for letter."""

    values: tuple[str, ...]

    def from_text(self, name: str, raw: str) -> str:
        """Return `raw` if it is one of the values."""
        if raw not in self.values:
            raise refusal(name, raw, f"one of {', '.join(self.values)}")
        return raw

    def from_json(self, name: str, value: Any) -> str:  # Any: a JSON value, checked here.
        """Return `value` if it is a JSON string and one of the values."""
        if not isinstance(value, str):
            raise refusal(name, value, f"one of {', '.join(self.values)}")
        return self.from_text(name, value)

    def describe(self) -> JsonObject:
        """Return the JSON schema of this kind."""
        return {"type": "string", "enum": list(self.values)}


Kind = Number | Integer | Boolean | Text | Choice


def refusal(name: str, given: Any, wanted: str) -> CallError:  # Any: a JSON value to show.
    """Return the `invalid_parameter` that names the parameter, its value and what it must be."""
    return CallError(
        "invalid_parameter", f"{name} must be {wanted}; got {shown(given)}", param=name
    )


def shown(value: Any) -> str:  # Any: whatever JSON can hold.
    """Return `value` as a message may repeat it: one line, at most `SHOWN_CHARS` of it.

    Strings are quoted and everything that does not print is escaped; containers are only named.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _cut(str(value) if _is_short(value) else "a very long number")
        case str():
            return f'"{_cut(value)}"'
        case dict():
            return "an object"
        case _:  # JSON has one kind left.
            return "an array"


def _cut(text: str) -> str:
    head = text[:SHOWN_CHARS]
    safe = head if head.isprintable() else "".join(map(_printable, head))
    return f"{safe}…" if len(text) > SHOWN_CHARS else safe


def _printable(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


def _is_short(number: float) -> bool:
    # Python refuses to print integers of more than 4,300 digits.
    return isinstance(number, float) or number.bit_length() <= _MAX_DIGITS


_TRUE = frozenset({"true", "1", "yes", "on", ""})
_FALSE = frozenset({"false", "0", "no", "off"})
_MAX_DIGITS = 128
"""No number in any range needs more characters; longer ones are not even converted."""
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE = re.compile(r"[+-]?[0-9]+")
