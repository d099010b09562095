"""The smallest value that satisfies a JSON schema, for the part of JSON Schema that tools use."""

from collections.abc import Mapping
from typing import Any

from gateway_chaos.bounds import UnsatisfiableError, length, number

MAX_NODES = 2_000
"""The most schemas looked at for one value: a recursive schema ends here, not in memory."""
_MAX_DEPTH = 32

_FORMATS = {
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "a@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_BEYOND = (
    "not",
    "if",
    "pattern",
    "contains",
    "minProperties",
    "dependentRequired",
    "dependentSchemas",
    "$dynamicRef",
)
_WORDS = frozenset(("title", "description", "default", "examples", "$comment", "$defs"))
# Simple shapes first: of the choices of `anyOf`, null ends a recursive schema, an object goes on.
_EASY = ("const", "enum", "null", "boolean", "integer", "number", "string", "array", "object")


def minimal(schema: Mapping[str, Any]) -> Any:  # Any: a JSON value.
    """Return the smallest value for `schema`; raise `UnsatisfiableError` where it is not known how.

    Knows type, properties, required, items, prefixItems, enum, const, anyOf, oneOf (as anyOf),
    allOf, local `$ref`, the bounds of numbers, strings and lists, and the common formats. What
    `examples` and `default` hold is taken at its word, which helps with a keyword beyond this.
    """
    return _Maker(schema).make(schema, 0)


class _Maker:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._nodes = 0

    def make(self, schema: Any, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > _MAX_DEPTH:
            msg = "the schema is too large, or calls for itself without end"
            raise UnsatisfiableError(msg)
        if schema is True:
            return {}
        if not isinstance(schema, Mapping):
            msg = "the schema holds something that is no schema"
            raise UnsatisfiableError(msg)
        if (given := _given(schema)) is not None:
            return given[0]
        rest = _followable(schema)
        for combining, make in (("$ref", self._referred), ("allOf", self._all)):
            if combining in rest:
                return make(rest, depth)
        for choice in ("anyOf", "oneOf"):
            if choice in rest:
                return self._first(_without(rest, choice), _list_at(rest, choice), depth)
        return self._typed(rest, depth)

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Any:
        kind = _type_of(schema)
        match kind:
            case "null" | "boolean":
                return None if kind == "null" else False
            case "integer" | "number":
                return number(schema, is_whole=kind == "integer")
            case "string":
                return _string(schema)
            case "array":
                return self._list(schema, depth)
            case "object":
                known = _mapping(schema.get("properties"))
                return {
                    name: self.make(known.get(name, True), depth + 1)
                    for name in map(str, _list_at(schema, "required"))
                }
            case _:
                msg = f"{kind!r} is no type of JSON"
                raise UnsatisfiableError(msg)

    def _referred(self, schema: Mapping[str, Any], depth: int) -> Any:
        rest = _without(schema, "$ref")
        return self.make(_merged(rest, self._named(schema["$ref"])), depth + 1)

    def _all(self, schema: Mapping[str, Any], depth: int) -> Any:
        whole: Mapping[str, Any] = _without(schema, "allOf")
        for part in _list_at(schema, "allOf"):
            whole = _merged(whole, self._inlined(part))
        return self.make(whole, depth + 1)

    def _list(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        count = length(schema, "minItems")
        if count > 1 and schema.get("uniqueItems"):
            msg = "cannot make up several items that differ; give the schema an example"
            raise UnsatisfiableError(msg)
        first = _list_at(schema, "prefixItems")
        more = schema.get("items", True)
        return [
            self.make(first[place] if place < len(first) else more, depth + 1)
            for place in range(count)
        ]

    def _first(self, rest: Mapping[str, Any], choices: list[Any], depth: int) -> Any:
        why = UnsatisfiableError("the schema has no alternative")
        for choice in sorted(choices, key=_effort):
            try:
                return self.make(_merged(rest, choice), depth + 1)
            except UnsatisfiableError as error:
                why = error
        raise why

    def _inlined(self, part: Any) -> Any:
        if isinstance(part, Mapping) and "$ref" in part:
            return _merged(_without(part, "$ref"), self._named(part["$ref"]))
        return part

    def _named(self, reference: Any) -> Any:
        steps = str(reference).split("/")
        found: Any = self._root
        if steps[0] != "#":
            msg = (
                f"cannot follow the reference {str(reference)[:100]!r}: it is not within the schema"
            )
            raise UnsatisfiableError(msg)
        for step in steps[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            msg = f"the reference {str(reference)[:100]!r} leads nowhere"
            raise UnsatisfiableError(msg)
        return found


def _given(schema: Mapping[str, Any]) -> tuple[Any] | None:
    """Return the value that `schema` itself names, in a tuple since it may be None."""
    for keyword in ("enum", "examples"):
        if _list_at(schema, keyword):
            return (schema[keyword][0],)
    for keyword in ("const", "default"):
        if keyword in schema:
            return (schema[keyword],)
    return None


def _followable(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `schema` if nothing in it is beyond this; raise `UnsatisfiableError`."""
    for keyword in _BEYOND:
        if keyword in schema:
            msg = f"cannot make up a value for {keyword!r}; give the schema an example or default"
            raise UnsatisfiableError(msg)
    return schema


def _merged(one: Mapping[str, Any], other: Any) -> Mapping[str, Any]:
    """Return a schema that says what both say; where they differ on more than words, raise."""
    if other is True:
        return one
    if not isinstance(other, Mapping):
        msg = "the schema holds something that is no schema"
        raise UnsatisfiableError(msg)
    both = {**one, **other}
    for keyword in one.keys() & other.keys() - _WORDS:
        if keyword in {"required", "allOf"}:
            both[keyword] = [*_list_at(one, keyword), *_list_at(other, keyword)]
        elif keyword == "properties":
            properties = dict(_mapping(one[keyword]))
            for name, schema in _mapping(other[keyword]).items():
                properties[name] = _merged(_mapping(properties.get(name)), schema)
            both[keyword] = properties
        elif one[keyword] != other[keyword]:
            msg = f"two parts of the schema differ on {keyword!r}"
            raise UnsatisfiableError(msg)
    return both


def _without(schema: Mapping[str, Any], keyword: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != keyword}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list_at(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    found = schema.get(keyword, [])
    if not isinstance(found, list):
        msg = f"{keyword!r} must be a list"
        raise UnsatisfiableError(msg)
    return found


def _type_of(schema: Mapping[str, Any]) -> str:
    said = schema.get("type")
    if isinstance(said, list) and said:
        return min((str(name) for name in said), key=_rank)
    if isinstance(said, str):
        return said
    if "items" in schema or "prefixItems" in schema or "minItems" in schema:
        return "array"
    return "object"


def _effort(schema: Any) -> int:
    if not isinstance(schema, Mapping):
        return len(_EASY)
    for keyword in ("const", "enum"):
        if keyword in schema:
            return _rank(keyword)
    return _rank(_type_of(schema)) if "type" in schema else len(_EASY)


def _rank(name: str) -> int:
    return _EASY.index(name) if name in _EASY else len(_EASY)


def _string(schema: Mapping[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "")
    low = length(schema, "minLength")
    if text and not low <= len(text) <= schema.get("maxLength", len(text)):
        msg = f"cannot make up a {schema['format']} of that length; give the schema an example"
        raise UnsatisfiableError(msg)
    return text or "x" * low
