"""The JSON types that cross the seams, and the wires that raw JSON can belong to."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import orjson

JsonObject = dict[str, Any]  # Any: JSON values are checked where they are read.


class Wire(StrEnum):
    """A wire format that a provider can speak; `extra` of the schema is keyed by it."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_COMPLETIONS = "openai_completions"
    OPENAI_EMBEDDINGS = "openai_embeddings"
    ANTHROPIC_MESSAGES = "anthropic_messages"


Extra = Mapping[Wire, JsonObject]
"""Fields that only one wire knows; re-emitted on that wire and nowhere else."""


class _Nothing(Mapping[Wire, JsonObject]):
    """An empty mapping that may be a dataclass's default: hashable, and nothing can be put in."""

    def __getitem__(self, key: Wire) -> JsonObject:
        raise KeyError(key)

    def __iter__(self) -> Iterator[Wire]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __hash__(self) -> int:
        return 0


NO_EXTRA: Extra = _Nothing()


def read_object(data: bytes) -> JsonObject | None:
    """Return the JSON object that an upstream sent, or None when it is anything else.

    Not for callers' bytes: a repeated key counts once here.
    """
    try:
        value = orjson.loads(data)  # noqa: TID251 - an upstream's bytes, not a caller's.
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
