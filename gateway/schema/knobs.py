"""Tuning knobs between OpenAI's fields and canonical names.

Source: OpenAI API reference, Chat Completions and Completions (legacy).
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.schema.chat import Sampling
from gateway.schema.json import JsonObject

_KNOBS = MappingProxyType(
    {
        "temperature": "temperature",
        "top_p": "top_p",
        "presence_penalty": "presence_penalty",
        "frequency_penalty": "frequency_penalty",
        "seed": "seed",
        "max_tokens": "max_output_tokens",
        "max_completion_tokens": "max_output_tokens",
        "top_logprobs": "top_logprobs",
        "stop": "stop",
        "reasoning_effort": "reasoning_effort",
    }
)
SAMPLING_FIELDS = frozenset({*_KNOBS, "n", "logprobs"})
"""OpenAI's fields that `Sampling` says."""


def knobs_of(document: JsonObject) -> Mapping[str, object]:
    """Return the tuning knobs that are given, by canonical name."""
    if SAMPLING_FIELDS.isdisjoint(document):
        return {}
    knobs = {
        canonical: document[name]
        for name, canonical in _KNOBS.items()
        if document.get(name) is not None
    }
    # True in chat, a number in completions; either may be all that is said.
    logprobs = document.get("logprobs")
    if logprobs is not None and logprobs is not False:
        knobs.setdefault("top_logprobs", 0 if logprobs is True else logprobs)
    return knobs


def sampling_of(document: JsonObject, *, top_logprobs: int | None = None) -> Sampling:
    """Return the tuning of a checked chat or completions document."""
    if top_logprobs is None and document.get("logprobs") is True:
        top_logprobs = document.get("top_logprobs") or 0
    stop = document.get("stop")
    ceiling = document.get("max_completion_tokens")
    return Sampling(
        temperature=document.get("temperature"),
        top_p=document.get("top_p"),
        presence_penalty=document.get("presence_penalty"),
        frequency_penalty=document.get("frequency_penalty"),
        seed=document.get("seed"),
        max_output_tokens=document.get("max_tokens") if ceiling is None else ceiling,
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        n=document.get("n") or 1,
        top_logprobs=top_logprobs,
        reasoning_effort=document.get("reasoning_effort"),
    )


def sampling_document(sampling: Sampling) -> JsonObject:
    """Return the fields of a chat document that say `sampling`; `sampling_of` reads them back."""
    given = {
        name: getattr(sampling, canonical)
        for name, canonical in _KNOBS.items()
        if name != "max_completion_tokens"
    }
    given["stop"] = list(sampling.stop) or None
    given["n"] = sampling.n if sampling.n != 1 else None
    given["logprobs"] = None if sampling.top_logprobs is None else True
    return {name: value for name, value in given.items() if value is not None}
