"""OpenAI's `chat.completion.chunk` frames, which two dialects write."""

import orjson

from gateway.schema.events import Started
from gateway.schema.json import JsonObject
from gateway.schema.usage import Usage
from gateway.schema.wires import openai_usage

ROLE_DELTA: JsonObject = {"role": "assistant", "content": ""}
"""The delta of a choice's first chunk."""


class ChunkWriter:
    """Writes the frames of one stream; `created` is in Unix seconds."""

    def __init__(self, id: str, created: int, model: str) -> None:  # noqa: A002  # OpenAI's name.
        self._id = id
        self._created = created
        self._model = model
        self._head = self._render_head()

    def start(self, event: Started) -> None:
        """Take over what the upstream calls its model and its time, for the chunks to come."""
        self._model = self._model if event.model is None else event.model
        self._created = self._created if event.created is None else event.created
        self._head = self._render_head()

    def chunk(
        self,
        index: int,
        delta: JsonObject,
        finish_reason: str | None = None,
        extra: JsonObject | None = None,
    ) -> bytes:
        """Return the frame of a delta of choice `index`; `extra` joins the choice (`logprobs`)."""
        choice: JsonObject = {"index": index, "delta": delta, "finish_reason": finish_reason}
        if extra:
            choice |= extra
        return b'%b,"choices":[%b]}\n\n' % (self._head, orjson.dumps(choice))

    def usage(self, usage: Usage) -> bytes:
        """Return the frame that `stream_options.include_usage` asks for: no choices, only usage."""
        return b'%b,"choices":[],"usage":%b}\n\n' % (self._head, orjson.dumps(openai_usage(usage)))

    def _render_head(self) -> bytes:
        """Return the part that all frames share, up to where the object goes on."""
        shared = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
        }
        return b"data: " + orjson.dumps(shared)[:-1]
