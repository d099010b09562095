"""What a `FakeUpstream` can be told to answer: each function here returns one `Answer`.

An answer turns the request it meets into the actions to play, so that `reply("hello")` is one JSON
body or a stream as the request wants it, for chat and for plain completions.
"""

import asyncio
from collections.abc import Mapping, Sequence

import orjson

from gateway.schema.json import JsonObject
from gateway.testing.actions import NO_HEADERS, Action, Answer, framed, json_body, streamed, whole
from gateway.testing.http_wire import UpstreamRequest
from gateway.testing.openai_documents import (
    Tokens,
    error_document,
    frame,
    whole_document,
    words_of,
)


def reply(
    text: str = "hello",
    *,
    reasoning: str = "",
    finish: str = "stop",
    usage: Tokens | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Answer:
    """Answer with `text`, whole or streamed word by word as the request wants it."""

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        deltas: list[JsonObject] = [{"reasoning_content": word} for word in words_of(reasoning)]
        deltas += [{"content": word} for word in words_of(text)]
        if request.is_stream:
            return streamed(request, deltas, finish=finish, usage=usage, headers=headers)
        message: JsonObject = {"content": text}
        if reasoning:
            message["reasoning_content"] = reasoning
        return json_body(200, whole_document(request, message, finish, usage), headers)

    return answer


def stream(
    *pieces: str,
    gap_s: float = 0.0,
    hold: asyncio.Event | None = None,
    finish: str = "stop",
    usage: Tokens | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Answer:
    """Stream exactly these pieces, `gap_s` apart; all but the first wait for `hold`."""

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        deltas: list[JsonObject] = [{"content": text} for text in pieces]
        return streamed(
            request, deltas, finish=finish, usage=usage, headers=headers, gap_s=gap_s, hold=hold
        )

    return answer


def tool_call(name: str, arguments: JsonObject | str, *, call_id: str = "call_1") -> Answer:
    """Ask for a tool; a stream brings the arguments four characters at a time."""
    text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        call: JsonObject = {"id": call_id, "type": "function"}
        if not request.is_stream:
            asked = call | {"function": {"name": name, "arguments": text}}
            message: JsonObject = {"content": None, "tool_calls": [asked]}
            return json_body(200, whole_document(request, message, "tool_calls", None), NO_HEADERS)
        first = call | {"index": 0, "function": {"name": name, "arguments": ""}}
        deltas: list[JsonObject] = [{"tool_calls": [first]}]
        for start in range(0, len(text), 4):
            more = {"index": 0, "function": {"arguments": text[start : start + 4]}}
            deltas.append({"tool_calls": [more]})
        return streamed(request, deltas, finish="tool_calls")

    return answer


def converse() -> Answer:
    """Answer the last user turn again, or as asked: the required tool, an object for JSON."""

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        document = request.document
        if document.get("tool_choice") == "required" and document.get("tools"):
            return tool_call(document["tools"][0]["function"]["name"], {})(request)
        heard = _last_turn(document)
        if str(document.get("response_format", {}).get("type", "text")).startswith("json"):
            return reply(orjson.dumps({"heard": heard}).decode())(request)
        return reply(heard or "hello")(request)

    return answer


def empty(*, finish: str = "stop") -> Answer:
    """Finish without a word."""
    return reply("", finish=finish)


def status(
    code: int,
    message: str = "scripted",
    *,
    error_code: str | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Answer:
    """Answer with an HTTP status and OpenAI's error body; a redirect wants a `location` header."""
    return lambda _request: json_body(code, error_document(code, message, error_code), headers)


def rate_limit(retry_after_s: float | None = None) -> Answer:
    """Answer 429, with `Retry-After` if it is given."""
    headers = {} if retry_after_s is None else {"retry-after": f"{retry_after_s:g}"}
    return status(429, "too many requests", error_code="rate_limit_exceeded", headers=headers)


def body(
    data: bytes,
    *,
    code: int = 200,
    content_type: str = "application/json",
    headers: Mapping[str, str] = NO_HEADERS,
) -> Answer:
    """Answer with exactly this body."""
    return lambda _request: whole(code, data, {"content-type": content_type, **headers})


def chunks(*documents: JsonObject, is_done: bool = True) -> Answer:
    """Stream exactly these documents, and `[DONE]` unless told otherwise."""

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        frames = [frame(document) for document in documents]
        return framed([*frames, *([b"data: [DONE]\n\n"] if is_done else [])])

    return answer


def _last_turn(document: JsonObject) -> str:
    if "prompt" in document:
        prompt = document["prompt"]
        return str(prompt if isinstance(prompt, str) else prompt[0])
    for message in reversed(document.get("messages", [])):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                return "\n".join(part["text"] for part in content if part.get("type") == "text")
            return str(content)
    return ""
