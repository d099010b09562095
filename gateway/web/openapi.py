"""Our OpenAPI 3.1 document, made from the table of paths and the dialects' own fields."""

import re
from collections.abc import Iterable, Mapping

from gateway import __version__
from gateway.dialects import openai_chat, openai_completions, openai_images, openai_media, wishes
from gateway.dialects.dynaspark import AUDIO_PARAMETERS, TEXT_PARAMETERS
from gateway.dialects.dynaspark_image import IMAGE_PARAMETERS
from gateway.dialects.fields import Kind
from gateway.schema.failure import CODES
from gateway.schema.json import JsonObject
from gateway.web.table import Path

_BY_URL: Mapping[str, Mapping[str, Kind]] = {
    "Text": {**TEXT_PARAMETERS, **AUDIO_PARAMETERS},
    "Picture": IMAGE_PARAMETERS,
}
"""What is asked for in a query, or in a form."""

_ERROR: JsonObject = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code", "param", "details"],
            "properties": {
                "message": {"type": "string"},
                "type": {"enum": sorted({kind for _, kind in CODES.values()})},
                "code": {"enum": sorted(CODES)},
                "param": {"type": ["string", "null"]},
                "details": {"type": "object"},
            },
        }
    },
}
_STRUCTURED: Mapping[str, JsonObject] = {
    "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
    "tools": {"type": "array", "items": {"type": "object"}},
    "tool_choice": {"type": ["string", "object"]},
    "response_format": {"type": "object"},
    "stop": {"type": ["string", "array"]},
    "stream_options": {"type": "object"},
    "modalities": {"type": "array", "items": {"enum": ["text", "audio"]}},
    "audio": {"type": "object"},
    "prompt": {"type": ["string", "array"]},
    "input": {"type": ["string", "array"]},
}


def document(table: Iterable[Path], base: str) -> JsonObject:
    """Return the document for a gateway that is reached at `base`."""
    paths: JsonObject = {}
    for entry in table:
        path = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", entry.path)
        operations = paths.setdefault(path, {})
        for method in entry.methods:
            if method != "HEAD":
                operations[method.lower()] = _operation(entry, method, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "dynagate",
            "version": __version__,
            "description": "A self-hosted, DynaSpark-compatible AI gateway.",
        },
        "servers": [{"url": base}],
        "paths": paths,
        "components": {
            "schemas": {
                "Error": _ERROR,
                **{name: _schema(kinds, ["user_input"]) for name, kinds in _BY_URL.items()},
                "Chat": _openai(openai_chat.FIELDS, ["model", "messages"]),
                "Completion": _openai(openai_completions.FIELDS, ["model", "prompt"]),
                "Embedding": _openai(openai_media.EMBEDDING_FIELDS, ["model", "input"]),
                "Image": _openai(openai_images.IMAGE_FIELDS, ["prompt"]),
                "Moderation": _openai(openai_media.MODERATION_FIELDS, ["input"]),
                "Speech": _openai(openai_media.SPEECH_FIELDS, ["model", "input"]),
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"bearer": []}],
    }


def _operation(entry: Path, method: str, path: str) -> JsonObject:
    name = re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_")
    operation: JsonObject = {
        "operationId": name,
        "summary": entry.summary,
        "responses": {
            "200": {"description": "The answer"},
            "default": {
                "description": "What went wrong, and what to do",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    if entry.schema in _BY_URL and method == "GET":
        named = dict(_BY_URL[entry.schema or ""])
        if parameters:
            del named["user_input"]
        parameters += [
            {
                "name": name,
                "in": "query",
                "required": name == "user_input",
                "schema": kind.describe(),
            }
            for name, kind in named.items()
        ]
    if entry.schema == "Feed":
        past: JsonObject = {"type": "integer", "minimum": 0}  # The most is the operator's to say.
        parameters.append({"name": "past_results", "in": "query", "schema": past})
    if parameters:
        operation["parameters"] = parameters
    if method == "POST" and entry.schema is not None:
        reference = {"schema": {"$ref": f"#/components/schemas/{entry.schema}"}}
        content = {"application/json": reference}
        if entry.schema in _BY_URL:
            content["application/x-www-form-urlencoded"] = reference
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _openai(fields: Mapping[str, Kind], required: list[str]) -> JsonObject:
    """Return the schema of a body of OpenAI's API, and of what callers add to it here."""
    schema = _schema(fields, required)
    schema["properties"][wishes.OWN] = wishes.describe()
    return schema


def _schema(fields: Mapping[str, Kind], required: list[str]) -> JsonObject:
    properties = {name: kind.describe() for name, kind in fields.items()}
    for name in required:
        if name not in properties:
            properties[name] = _STRUCTURED[name]
    if "messages" in required:
        properties |= {name: _STRUCTURED[name] for name in _STRUCTURED if name != "prompt"}
    return {"type": "object", "required": required, "properties": properties}
