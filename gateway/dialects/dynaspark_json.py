"""What `json=true` means: which object a prompt wants, and the answer as one that parses."""

from dataclasses import dataclass

import orjson

from gateway.dialects.dynaspark_prompt import asks_for_json, wanted_list
from gateway.dialects.json_gate import parse_object
from gateway.schema.chat import JsonFormat
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject

MAX_ITEMS = 50
"""As long as a list may get when the prompt does not say how long."""


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """`{noun: [text, …]}`, with `count` items (None: from 1 to `MAX_ITEMS`)."""

    noun: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class ObjectAnswer:
    """Whatever object the prompt describes."""


@dataclass(frozen=True, slots=True)
class MessageAnswer:
    """The plain answer as `{"message": text}`."""


JsonKind = ListAnswer | ObjectAnswer | MessageAnswer


def classify(prompt: str) -> JsonKind:
    """Return the object that `prompt` wants; one that mentions JSON gets its own way.

    Reads English only, and takes a list for a list only when it is sure: a prompt that it misses
    still gets its answer, as a message.
    """
    if asks_for_json(prompt):
        return ObjectAnswer()
    wanted = wanted_list(prompt)
    return MessageAnswer() if wanted is None else ListAnswer(wanted.noun, wanted.count)


def response_format(kind: JsonKind) -> JsonFormat | None:
    """Return what to hold the model to; None where it answers as it likes."""
    match kind:
        case MessageAnswer():
            return None
        case ObjectAnswer():
            return JsonFormat()
        case ListAnswer(noun, count):
            items = {
                "type": "array",
                "items": {"type": "string"},
                "minItems": count or 1,
                "maxItems": count or MAX_ITEMS,
            }
            schema = {
                "type": "object",
                "properties": {noun: items},
                "required": [noun],
                "additionalProperties": False,
            }
            # OpenAI enforces a schema only where it is marked as strict.
            return JsonFormat(schema=schema, is_strict=True)


def render_json(kind: JsonKind, text: str) -> JsonObject:
    """Return the answer to `json=true`, given all that the model said.

    An object of the kind asked for is kept as it is, whatever its number of items; anything else
    becomes a message. So does an object with a top-level `error`, on which clients would raise.
    """
    document = None if isinstance(kind, MessageAnswer) else _object(text)
    if document is None or (
        isinstance(kind, ListAnswer) and not _is_texts(document.get(kind.noun))
    ):
        return {"message": text}
    return {"message": document} if "error" in document else document


class StreamJson:
    """The same answer piece by piece: what the calls return is one JSON text when joined.

    A model that is held to a grammar writes that text itself; a plain answer is wrapped.
    """

    def __init__(self, kind: JsonKind) -> None:
        self._is_wrapped = isinstance(kind, MessageAnswer)
        self._is_ended = False
        self.is_begun = False

    def feed(self, text: str) -> str:
        """Return what to send for `text`; empty for empty."""
        if not text:
            return ""
        if not self._is_wrapped:
            self.is_begun = True
            return text
        return self._begin() + orjson.dumps(text)[1:-1].decode()

    def end(self) -> str:
        """Return what is still missing, once."""
        if self._is_ended or not self._is_wrapped:
            return ""
        self._is_ended = True
        return self._begin() + '"}'

    def _begin(self) -> str:
        if self.is_begun:
            return ""
        self.is_begun = True
        return '{"message": "'


def _object(text: str) -> JsonObject | None:
    """Return the object that `text` is, in a Markdown fence or bare; None if it is none.

    Read as strictly as callers' JSON, so that what is read can always be written again.
    """
    bare = text.strip()
    if bare.startswith(_FENCE) and bare.endswith(_FENCE):
        _, _, inside = bare.partition("\n")
        bare = inside.removesuffix(_FENCE)
    try:
        return parse_object(bare.encode())
    except CallError:
        return None


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_FENCE = "```"
