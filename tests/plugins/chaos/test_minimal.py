"""The smallest value for a schema."""

from typing import Any

import pytest

from gateway_chaos.bounds import UnsatisfiableError
from gateway_chaos.minimal import minimal

TREE = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 2},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["name", "next"],
        }
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, {}),
        ({"type": "object"}, {}),
        ({"type": "null"}, None),
        ({"type": "boolean"}, False),
        ({"type": "string"}, ""),
        ({"type": "string", "minLength": 3}, "xxx"),
        ({"type": "string", "format": "date", "minLength": 10}, "2024-01-01"),
        ({"type": ["string", "null"]}, None),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": None}, None),
        ({"type": "string", "pattern": "^a+$", "examples": ["aa"]}, "aa"),
        ({"type": "string", "pattern": "^a+$", "default": "a"}, "a"),
        ({"type": "array"}, []),
        ({"type": "array", "minItems": 2, "items": {"type": "integer"}}, [0, 0]),
        ({"prefixItems": [{"const": 1}], "items": {"const": 2}, "minItems": 3}, [1, 2, 2]),
        ({"type": "integer"}, 0),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "minimum": 2.5}, 3),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "exclusiveMinimum": 0}, 1),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "integer", "maximum": -7, "multipleOf": 5}, -10),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, 0.5),
        ({"type": "number", "exclusiveMaximum": 0}, -1),
        ({"type": "number", "minimum": -1, "maximum": 1}, 0),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
                "required": ["b", "c"],
            },
            {"b": 0, "c": {}},
        ),
        ({"anyOf": [{"type": "object"}, {"type": "integer"}]}, 0),
        ({"oneOf": [{"not": {}}, {"type": "object"}]}, {}),
        ({"anyOf": [{"type": "object"}, {"type": "string", "pattern": "a"}]}, {}),
        ({"anyOf": [True, {"type": "object"}, {"const": 5}]}, 5),
        ({"allOf": [{"type": "string"}, {"type": "string", "minLength": 1}]}, "x"),
        (
            {
                "allOf": [
                    {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
                    {"properties": {"a": {"minimum": 4}, "b": True}, "required": ["b"]},
                ],
                "type": "object",
            },
            {"a": 4, "b": {}},
        ),
        (
            {
                "$defs": {"a/b": {"const": 1}},
                "properties": {"x": {"$ref": "#/$defs/a~1b"}},
                "required": ["x"],
            },
            {"x": 1},
        ),
        ({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"type": "string"}}}, ""),
        (TREE, {"name": "xx", "next": None}),
    ],
)
def test_the_smallest_value_is_found(schema: dict[str, Any], value: object) -> None:
    found = minimal(schema)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"$ref": "#"}, "without end"),
        ({"properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "without end"),
        (
            {
                "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}},
                "required": ["a", "b"],
            },
            "without end",
        ),
        ({"$ref": "https://example.com/schema"}, "not within the schema"),
        ({"$ref": "#/$defs/missing"}, "leads nowhere"),
        ({"type": "string", "pattern": "^a+$"}, "'pattern'"),
        ({"type": "string", "minLength": 10_001}, "'minLength'"),
        ({"type": "string", "format": "date", "maxLength": 5}, "a date of that length"),
        ({"type": "array", "minItems": 2, "maxItems": 1}, "'minItems'"),
        ({"type": "array", "minItems": 2, "uniqueItems": True}, "several items that differ"),
        ({"type": "array", "minItems": 10_000}, "too large"),
        ({"type": "integer", "minimum": 1, "maximum": 0}, "no number"),
        (
            {"type": "integer", "minimum": 10**400, "maximum": 10**400 + 1, "multipleOf": 0.5},
            "no number",
        ),
        ({"type": "number", "minimum": "1"}, "must be numbers"),
        ({"type": "colour"}, "'colour' is no type"),
        ({"anyOf": []}, "no alternative"),
        ({"anyOf": 3}, "'anyOf' must be a list"),
        ({"required": "name"}, "'required' must be a list"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "differ on 'type'"),
        ({"allOf": [3]}, "no schema"),
        ({"properties": {"a": 3}, "required": ["a"]}, "no schema"),
    ],
)
def test_what_is_beyond_it_is_said(schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsatisfiableError) as caught:
        minimal(schema)

    assert reason in str(caught.value)
