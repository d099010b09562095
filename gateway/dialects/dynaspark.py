"""DynaSpark's text parameters, as a query, a form or JSON, and the request that they mean."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from gateway.dialects.dynaspark_json import (
    JsonKind,
    ListAnswer,
    MessageAnswer,
    ObjectAnswer,
    classify,
    response_format,
)
from gateway.dialects.fields import Boolean, Choice, Integer, Kind, Number, Text
from gateway.schema.ask import Ask, Feature
from gateway.schema.chat import ChatRequest, Message, Sampling, TextPart
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject

RANDOM_SEED = -1
"""The `seed` that asks for a random one, as if none were given."""

_USER_INPUT = Text(None, is_blank_ok=False)
TEXT_PARAMETERS: Mapping[str, Kind] = MappingProxyType(
    {
        "user_input": _USER_INPUT,
        "model": Text(None),
        "temperature": Number(0.0, 3.0),
        "top_p": Number(0.0, 1.0),
        "presence_penalty": Number(-2.0, 2.0),
        "frequency_penalty": Number(-2.0, 2.0),
        "json": Boolean(),
        "stream": Boolean(),
        "private": Boolean(),
        "system": Text(None),
        "referrer": Text(256),
        "seed": Integer(),
    }
)
"""What a text generation understands; `api_key` is read where callers are identified."""

_TUNING = MappingProxyType({n: kind for n, kind in TEXT_PARAMETERS.items() if n != "user_input"})

VOICES = ("alloy", "echo", "fable", "nova", "onyx", "shimmer")
AUDIO_PARAMETERS: Mapping[str, Kind] = MappingProxyType(
    {
        "voice": Choice(VOICES),
        "speed": Number(0.25, 4.0),
        "format": Choice(("mp3", "aac", "flac", "opus", "wav", "pcm")),
        "quality": Choice(("standard", "hd")),
    }
)
"""What only speech understands: on a text model checked, then ignored."""


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A text generation as DynaSpark's callers put it, checked and with its defaults."""

    user_input: str
    model: str
    seed: int
    """The caller's, or the random one that stands in for it; what `X-Seed` says."""
    sampling: Sampling
    system: str | None = None
    json_kind: JsonKind | None = None
    is_stream: bool = False
    is_private: bool = False

    @property
    def is_json(self) -> bool:
        """Whether the answer is one JSON object, `json=true`."""
        return self.json_kind is not None


def merge(query: Mapping[str, str], body: Mapping[str, Any]) -> JsonObject:  # Any: JSON values.
    """Return the parameters of a POST: the body's win over the query's, a JSON null gives way."""
    return {**query, **{name: value for name, value in body.items() if value is not None}}


def parse_text(
    given: Mapping[str, Any],  # Any: text, or a JSON value of a POST.
    *,
    default_model: str,
    random_seed: int,
) -> tuple[Ask, TextQuery]:
    """Return the request that `given` means, and what rendering its answer needs.

    `random_seed` is used, and sent to the provider, when the caller leaves the seed open. Raises
    `missing_parameter` for a blank `user_input` and `invalid_parameter` for the rest.
    """
    user_input = user_input_of(given)
    values = read(given, _TUNING)
    read(given, AUDIO_PARAMETERS)
    if values.get("seed") == RANDOM_SEED:
        del values["seed"]
    tuning = {name: values[name] for name in _KNOBS if name in values}
    seed = tuning.get("seed", random_seed)
    query = TextQuery(
        user_input=user_input,
        # Forms send the fields that were left empty.
        model=values.get("model") or default_model,
        seed=seed,
        sampling=Sampling(**{**tuning, "seed": seed}),
        system=values.get("system") or None,
        json_kind=classify(user_input) if values.get("json") else None,
        is_stream=values.get("stream", False),
        is_private=values.get("private", False),
    )
    ask = Ask(
        dialect="dynaspark",
        model=query.model,
        translate=lambda _: to_chat(query),
        needs=_needs(query.json_kind),
        knobs=tuning,
        is_stream=query.is_stream,
        is_private=query.is_private,
        is_feed_worthy=True,
        has_seed="seed" in tuning,
        referrer=values.get("referrer") or None,
        ignored_params=ignored(given, _UNDERSTOOD),
    )
    return ask, query


def to_chat(query: TextQuery) -> ChatRequest:
    """Return the conversation that `query` asks to continue."""
    messages = [Message("user", (TextPart(query.user_input),))]
    if query.system is not None:
        messages.insert(0, Message("system", (TextPart(query.system),)))
    if isinstance(query.json_kind, ObjectAnswer) and not _mentions_json(query):
        # OpenAI's JSON mode refuses a conversation in which the word does not occur.
        messages.insert(0, Message("system", (TextPart("Answer with one JSON object."),)))
    return ChatRequest(
        model=query.model,
        messages=tuple(messages),
        sampling=query.sampling,
        response_format=None if query.json_kind is None else response_format(query.json_kind),
    )


def user_input_of(
    given: Mapping[str, Any],  # Any: text, or a JSON value of a POST.
    *,
    example: str = "/api/generate_response?user_input=Hello%20world",
) -> str:
    """Return the text to answer, read aloud or draw; `missing_parameter` when it is blank."""
    user_input = given.get("user_input")
    if user_input is None or (isinstance(user_input, str) and not user_input.strip()):
        message = f"user_input is missing or blank; give the text, for example {example}"
        raise CallError("missing_parameter", message, param="user_input")
    return _USER_INPUT.from_json("user_input", user_input)


def read(given: Mapping[str, Any], table: Mapping[str, Kind]) -> JsonObject:  # Any: see above.
    """Return the values of the parameters of `table` that were given; text may be JSON's, too."""
    return {
        name: kind.from_text(name, raw) if isinstance(raw, str) else kind.from_json(name, raw)
        for name, kind in table.items()
        if (raw := given.get(name)) is not None
    }


def _needs(kind: JsonKind | None) -> frozenset[Feature]:
    match kind:
        case ListAnswer():
            return frozenset({Feature.TEXT, Feature.JSON_SCHEMA})
        case ObjectAnswer():
            return frozenset({Feature.TEXT, Feature.JSON_OBJECT})
        case MessageAnswer() | None:
            return frozenset({Feature.TEXT})


def _mentions_json(query: TextQuery) -> bool:
    return "json" in f"{query.system} {query.user_input}".lower()


def ignored(
    given: Mapping[str, Any],  # Any: only names are read.
    understood: Collection[str],
) -> tuple[str, ...]:
    """Return the names of what was given for nothing, fit for a header, in order of appearance.

    Everything but letters, digits and `_.-~[]$:@` is percent-encoded, so that a comma between names
    is one. A list that would not fit into a header ends with how many more there are.
    """
    unread = [name for name in given if name and name not in understood]
    named = tuple(quote(name, safe="[]$:@", errors="replace")[:_NAME_CHARS] for name in unread)
    if len(named) <= _MAX_NAMED:
        return named
    return (*named[:_MAX_NAMED], f"... and {len(named) - _MAX_NAMED} more")


_KNOBS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")
_UNDERSTOOD = TEXT_PARAMETERS.keys() | {"api_key"}
_NAME_CHARS = 64
_MAX_NAMED = 32  # With their commas about 2 KB: clients refuse header lines over 8 KB.
