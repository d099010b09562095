"""OpenAI's completions (legacy): a caller's body as an `Ask`, and answers in its format.

Source: OpenAI API reference, Completions.
"""

from collections.abc import Mapping
from types import MappingProxyType

import orjson

from gateway.dialects.fields import Boolean, Integer, Kind, Number, Text, refusal
from gateway.dialects.openai_chat import (
    check_fields,
    check_stream_options,
)
from gateway.dialects.wishes import take_wishes
from gateway.schema.ask import Ask, Feature
from gateway.schema.chat import CompletionRequest
from gateway.schema.events import Choice, Collected, Finish, Started, StreamEvent, TextDelta
from gateway.schema.failure import CallError
from gateway.schema.json import NO_EXTRA, JsonObject, Wire
from gateway.schema.knobs import knobs_of, sampling_of
from gateway.schema.sse import DONE
from gateway.schema.usage import Usage
from gateway.schema.wires import openai_usage

FIELDS: Mapping[str, Kind] = MappingProxyType(
    {
        "model": Text(256, is_blank_ok=False),
        "temperature": Number(0.0, 2.0),
        "top_p": Number(0.0, 1.0),
        "presence_penalty": Number(-2.0, 2.0),
        "frequency_penalty": Number(-2.0, 2.0),
        "n": Integer(1, 128),
        "best_of": Integer(1, 20),
        "seed": Integer(),
        "max_tokens": Integer(1, 10_000_000),
        "logprobs": Integer(0, 5),
        "stream": Boolean(),
        "echo": Boolean(),
        "suffix": Text(None),
        "user": Text(512),
    }
)
_STRUCTURED = {"prompt", "stop", "stream_options"}
_CANONICAL = (FIELDS.keys() - {"user", "best_of"}) | _STRUCTURED
_MAX_PROMPTS = 128


def parse_completion(document: JsonObject) -> Ask:
    """Return the request that `document` makes; raises `missing_parameter`, `invalid_parameter`."""
    wished = take_wishes(document)
    check_fields(document, FIELDS)
    prompt = document.get("prompt")
    if prompt is None:
        raise CallError("missing_parameter", "prompt is missing: give a string", param="prompt")
    if not isinstance(prompt, str) and not _are_prompts(prompt) and not _are_tokens(prompt):
        wanted = f"a string, or an array of 1 to {_MAX_PROMPTS} strings, or of tokens"
        raise refusal("prompt", prompt, wanted)
    options = check_stream_options(document)
    return Ask(
        dialect="openai_completions",
        model=document["model"],
        translate=to_completion,
        needs=frozenset({Feature.COMPLETION}),
        wire=Wire.OPENAI_COMPLETIONS,
        document=document,
        knobs=knobs_of(document),
        is_stream=document.get("stream") is True,
        is_usage_wanted=options.get("include_usage") is True,
        has_seed=document.get("seed") is not None,
        wished=wished,
    )


def to_completion(document: JsonObject) -> CompletionRequest:
    """Return the canonical form of a checked document."""
    prompt = document["prompt"]
    prompts = (prompt,) if isinstance(prompt, str) else tuple(prompt)
    if not all(isinstance(text, str) for text in prompts):
        raise CallError(
            "unsupported_feature", "this model takes no token arrays: send text", param="prompt"
        )
    rest = {
        name: value
        for name, value in document.items()
        if name not in _CANONICAL and value is not None
    }
    return CompletionRequest(
        model=document["model"],
        prompts=prompts,
        sampling=sampling_of(document, top_logprobs=document.get("logprobs")),
        suffix=document.get("suffix"),
        is_echoed=document.get("echo") is True,
        extra={Wire.OPENAI_COMPLETIONS: rest} if rest else NO_EXTRA,
    )


def render_completion(collected: Collected, *, request_id: str, model: str, created: int) -> bytes:
    """Return a whole `text_completion`."""
    document = _head(
        request_id, collected.started.model or model, collected.started.created or created
    )
    document["choices"] = [_choice(choice) for choice in collected.choices]
    if collected.usage is not None:
        document["usage"] = openai_usage(collected.usage)
    return orjson.dumps(document)


class CompletionStream:
    """Turns the events of one generation into `text_completion` chunks."""

    def __init__(self, *, request_id: str, model: str, created: int, is_usage_wanted: bool) -> None:
        self._request_id = request_id
        self._head = _head(request_id, model, created)
        self._is_usage_wanted = is_usage_wanted

    def render(self, event: StreamEvent) -> bytes:
        """Return the frames that `event` adds; what a text cannot say adds none."""
        if isinstance(event, Started):
            model, created = (
                event.model or self._head["model"],
                event.created or self._head["created"],
            )
            self._head = _head(self._request_id, model, created)
        elif isinstance(event, TextDelta):
            return self._frame([_text_choice(event.index, event.text, list(event.logprobs), None)])
        elif isinstance(event, Finish):
            return self._frame([_text_choice(event.index, "", [], event.reason)])
        elif isinstance(event, Usage) and self._is_usage_wanted:
            return self._frame([], usage=openai_usage(event))
        return b""

    def end(self) -> bytes:
        """Return the last frame."""
        return DONE

    def _frame(self, choices: list[JsonObject], **more: JsonObject) -> bytes:
        return b"data: %b\n\n" % orjson.dumps({**self._head, "choices": choices, **more})


def _head(request_id: str, model: str, created: int) -> JsonObject:
    return {
        "id": f"cmpl-{request_id}",
        "object": "text_completion",
        "created": created,
        "model": model,
    }


def _choice(choice: Choice) -> JsonObject:
    return _text_choice(choice.index, choice.text, choice.logprobs, choice.finish or "stop")


def _text_choice(
    index: int, text: str, entries: list[JsonObject], finish: str | None
) -> JsonObject:
    logprobs = None
    if entries:
        logprobs = {
            "tokens": [entry.get("token") for entry in entries],
            "token_logprobs": [entry.get("logprob") for entry in entries],
            "top_logprobs": [
                {top.get("token"): top.get("logprob") for top in entry.get("top_logprobs") or ()}
                for entry in entries
            ],
        }
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": finish}


def _are_prompts(prompt: object) -> bool:
    if not isinstance(prompt, list) or not 0 < len(prompt) <= _MAX_PROMPTS:
        return False
    return all(isinstance(text, str) for text in prompt) or all(map(_are_tokens, prompt))


def _are_tokens(prompt: object) -> bool:
    return (
        isinstance(prompt, list)
        and bool(prompt)
        and all(type(token) is int for token in prompt)  # True is an int, too.
    )
