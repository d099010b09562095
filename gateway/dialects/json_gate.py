"""The one door for callers' JSON: one object, unambiguous, bounded, or `invalid_json`.

Stricter than RFC 8259 where readers disagree: no repeated keys, no lone surrogates, no byte order
mark, and only numbers that every reader holds: integers from -2^63 to 2^64 - 1, floats that are
finite as IEEE doubles.
"""

import math
import re
from typing import Any

import jiter

from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject

MAX_DEPTH = 64
MAX_KEYS = 100_000
"""Of all objects together. Each costs 0.6 µs, for which nobody else is served (2026-11)."""
MAX_VALUES = 500_000
"""Items of lists and objects, at 0.1 µs each; a request for vectors has 300,000 tokens at most."""


def parse_object(body: bytes, *, max_depth: int = MAX_DEPTH) -> JsonObject:
    """Return the object that `body` holds, in UTF-8; the object itself is the first level.

    A refusal gives a reason and a position where there is one; of the body only a repeated key,
    cut.
    """
    if len(body) > _LEAST_KEY_BYTES * MAX_KEYS:
        _weigh(body)
    try:
        document = jiter.from_json(
            body,
            allow_inf_nan=False,
            catch_duplicate_keys=True,
            # Keys repeat from call to call; values are the callers' own and stay nowhere.
            cache_mode="keys",
        )
    except ValueError as error:
        if not body.strip(_JSON_SPACE):
            raise CallError("invalid_json", _EMPTY) from None
        raise CallError("invalid_json", _reason(str(error), max_depth)) from None
    if not isinstance(document, dict):
        raise CallError("invalid_json", "The body is JSON, but not an object: {…} is expected.")
    _check(document, max_depth)
    return document


def _weigh(body: bytes) -> None:
    """Refuse a large body of many small values: parsing it would hold up all callers for seconds.

    Signs are counted by the machine's own search, at first within strings, too; only where that is
    too many are the strings taken out. Of what is no JSON the parser tells.
    """
    if not _is_heavy(body):
        return
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Strings, of which each is a key or a value.
    if plain.count(b'"') > 2 * (MAX_KEYS + MAX_VALUES) or _is_heavy(
        b"".join(plain.split(b'"')[::2])
    ):
        raise CallError("invalid_json", _TOO_MUCH)


def _is_heavy(text: bytes) -> bool:
    # A comma stands between two values; lists without any are depth, which has its own bound.
    return text.count(b":") > MAX_KEYS or text.count(b",") >= MAX_VALUES


def _check(document: JsonObject, max_depth: int) -> None:
    """Refuse what the parser lets through: deep nesting and numbers that do not fit.

    Level by level over what was parsed, so that it costs by the node and not by the byte: 2 µs for
    a chat body of 1 KB, and the same with a picture in it, where a scan for brackets takes 5 ms for
    9 MB (2026-11, 2 cores). The parser's own limit of 200 levels keeps its stack safe until here.
    """
    level: list[Any] = [document]  # Any: what JSON can hold.
    depth = 0
    while level:
        depth += 1
        if depth > max_depth:
            raise CallError("invalid_json", _too_deep(max_depth))
        below: list[Any] = []  # Any: likewise.
        for container in level:
            for value in container.values() if isinstance(container, dict) else container:
                # Exact types: the parser makes no others, and isinstance costs half as much again.
                kind = type(value)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    below.append(value)
                elif kind is float:
                    if value in _INFINITE:
                        raise CallError("invalid_json", _NUMBER)
                elif kind is int and not _INTEGER_LOW <= value <= _INTEGER_HIGH:
                    raise CallError("invalid_json", _NUMBER)
        level = below


def _reason(said: str, max_depth: int) -> str:
    """Return what the parser said, without more of the body than a cut key."""
    found = _POSITION.fullmatch(said)
    what, where = (found["what"], found["where"]) if found else (said, "")
    if what == "recursion limit exceeded":
        return _too_deep(max_depth)
    if what == "number out of range":
        return f"{_NUMBER[:-1]}{where}."
    if what.startswith(_DUPLICATE):
        key = what.removeprefix(_DUPLICATE).strip('"')
        cut = f"{key[:_KEY_CHARS]}…" if len(key) > _KEY_CHARS else key
        return f'The body repeats the key "{cut}"{where}.'
    return f"The body is not valid JSON: {what[:_KEY_CHARS]}{where}."


def _too_deep(max_depth: int) -> str:
    return f"The body nests deeper than {max_depth} levels."


_LEAST_KEY_BYTES = 5
"""Of a key with its value: `"":0,`."""
_TOO_MUCH = (
    f"The body holds more than {MAX_KEYS:,} keys or {MAX_VALUES:,} values; send fewer at once."
)
_EMPTY = "The body is empty; a JSON object is expected."
_JSON_SPACE = b" \t\r\n"
_INFINITE = frozenset({math.inf, -math.inf})
"""What a float that overflows (`1e999`) is parsed to."""
_INTEGER_LOW = -(2**63)
_INTEGER_HIGH = 2**64 - 1
_NUMBER = "The body holds a number that does not fit into 64 bits."
_KEY_CHARS = 80
_DUPLICATE = "Detected duplicate key "
_POSITION = re.compile(r"(?P<what>.*)(?P<where> at line [0-9]+ column [0-9]+)", re.DOTALL)
