"""The schema of the stand-in's one path that takes a body."""

from gateway.schema.json import JsonObject

_TURN: JsonObject = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {"role": {"enum": ["system", "user"]}, "content": {"type": "string"}},
}
_QUESTION: JsonObject = {
    "type": "object",
    "required": ["model", "messages"],
    "properties": {
        "model": {"type": "string"},
        "messages": {"type": "array", "items": _TURN, "minItems": 1},
        "temperature": {"type": "number"},
        "stream": {"type": "boolean"},
    },
}
_ASK: JsonObject = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": _QUESTION}}},
    "responses": {"200": {"description": "an answer"}},
}
DOCUMENT: JsonObject = {
    "openapi": "3.1.0",
    # As large as schemas are: whoever asks for many of them is held up.
    "info": {"title": "stand-in", "version": "1", "description": "It answers questions. " * 1000},
    "paths": {"/v1/chat/completions": {"post": _ASK}},
}
