"""What an OpenAI-compatible upstream writes: answers, chunks, errors, lists of models."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from gateway.schema.json import JsonObject
from gateway.testing.http_wire import UpstreamRequest

CREATED = 1_704_067_200
"""When every scripted answer was made: the start of 2024, in UTC."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Usage as OpenAI counts: `cached` is part of `prompt`, `reasoning` of `completion`."""

    prompt: int
    completion: int
    cached: int = 0
    reasoning: int = 0


def words_of(text: str) -> list[str]:
    """Split `text` into words with the white space behind them; joined, they are `text` again."""
    return re.findall(r"\s*\S+\s*|\s+", text)


def whole_document(
    request: UpstreamRequest, message: JsonObject, finish: str, usage: Tokens | None
) -> JsonObject:
    """Return the answer to a request without stream, as many choices as it asks for."""
    is_chat = _is_chat(request)
    choices: list[JsonObject] = []
    for index in range(request.choices):
        said: JsonObject = {"index": index, "logprobs": None, "finish_reason": finish}
        if is_chat:
            said["message"] = {"role": "assistant", **message}
        else:
            said["text"] = message.get("content") or ""
        choices.append(said)
    counted = usage or Tokens(3, len(words_of(message.get("content") or "")) * request.choices)
    kind = "chat.completion" if is_chat else "text_completion"
    return _envelope(request, kind) | {"choices": choices, "usage": _usage(counted)}


def stream_documents(
    request: UpstreamRequest,
    deltas: Sequence[JsonObject],
    finish: str | None,
    usage: Tokens | None,
) -> list[JsonObject]:
    """Return the chunks of a stream; without `finish` they stop in the middle.

    The choices take turns. Usage comes last, in a chunk without choices, if it was asked for.
    """
    is_chat = _is_chat(request)
    envelope = _envelope(request, "chat.completion.chunk" if is_chat else "text_completion")
    if request.is_usage_wanted:
        envelope["usage"] = None
    rounds: list[tuple[JsonObject, str | None]] = [(delta, None) for delta in deltas]
    if is_chat and rounds:
        rounds[0] = ({"role": "assistant", **deltas[0]}, None)
    if finish is not None:
        rounds.append(({}, finish))
    documents: list[JsonObject] = []
    for delta, reason in rounds:
        for index in range(request.choices):
            said: JsonObject = {"index": index, "logprobs": None, "finish_reason": reason}
            if is_chat:
                said["delta"] = delta
            else:
                said["text"] = delta.get("content", "")
            documents.append(envelope | {"choices": [said]})
    if finish is not None and request.is_usage_wanted:
        counted = usage or Tokens(3, len(deltas) * request.choices)
        documents.append(envelope | {"choices": [], "usage": _usage(counted)})
    return documents


def frame(document: JsonObject) -> bytes:
    """Return `document` as one server-sent event."""
    return b"data: " + orjson.dumps(document) + b"\n\n"


def error_document(status: int, message: str, code: str | None) -> JsonObject:
    """Return OpenAI's error envelope."""
    kind = "invalid_request_error" if status < 500 else "server_error"  # noqa: PLR2004 - HTTP's own line
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def models_document(models: Sequence[str]) -> JsonObject:
    """Return the answer of `GET /v1/models`."""
    rows = [
        {"id": model, "object": "model", "created": CREATED, "owned_by": "fake"} for model in models
    ]
    return {"object": "list", "data": rows}


def _is_chat(request: UpstreamRequest) -> bool:
    return request.path.endswith("/chat/completions")


def _envelope(request: UpstreamRequest, kind: str) -> JsonObject:
    return {
        "id": "chatcmpl-fake" if _is_chat(request) else "cmpl-fake",
        "object": kind,
        "created": CREATED,
        "model": request.model,
        "system_fingerprint": "fp_fake",
    }


def _usage(counted: Tokens) -> JsonObject:
    return {
        "prompt_tokens": counted.prompt,
        "completion_tokens": counted.completion,
        "total_tokens": counted.prompt + counted.completion,
        "prompt_tokens_details": {"cached_tokens": counted.cached},
        "completion_tokens_details": {"reasoning_tokens": counted.reasoning},
    }
