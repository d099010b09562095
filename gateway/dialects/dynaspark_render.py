"""DynaSpark's answers: the model's words, one JSON object, or a stream of OpenAI's chunks."""

import orjson

from gateway.dialects.chunks import ROLE_DELTA, ChunkWriter
from gateway.dialects.dynaspark import TextQuery
from gateway.dialects.dynaspark_json import MessageAnswer, StreamJson, render_json
from gateway.schema.events import (
    AudioDelta,
    Collected,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from gateway.schema.usage import Usage

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"


def render_text(collected: Collected, query: TextQuery) -> tuple[str, bytes]:
    """Return the media type and the body of a whole answer: its words and nothing else."""
    choice = next((choice for choice in collected.choices if choice.index == 0), None)
    words = "" if choice is None else choice.text or choice.refusal
    if query.json_kind is None:
        return PLAIN, words.encode()
    return JSON, orjson.dumps(render_json(query.json_kind, words))


class TextStream:
    """Turns the events of one generation into the frames of a `stream=true` answer.

    Each call returns whole frames, or nothing for an event that callers of this dialect don't see.
    The first `kept_chars` of the words that were sent stay in `said`.
    """

    def __init__(
        self,
        query: TextQuery,
        *,
        request_id: str,
        model: str,
        created: int,
        kept_chars: int = 0,
    ) -> None:
        self._request_id = request_id
        self._writer = ChunkWriter(f"chatcmpl-{request_id}", created, model)
        self._json = None if query.json_kind is None else StreamJson(query.json_kind)
        self._is_begun = False
        self._kept: list[str] = []
        self._left_chars = kept_chars

    @property
    def said(self) -> str:
        """The words that were sent and kept so far."""
        return "".join(self._kept)

    def render(self, event: StreamEvent) -> bytes:
        """Return the frames that `event` adds; the first ones open the assistant's turn."""
        match event:
            case Started():
                self._writer.start(event)
            case TextDelta(index=0):
                return self._words(event.text)
            case RefusalDelta(index=0):
                if self._json is not None and not self._json.is_begun:
                    # A refusal is prose whatever form was asked for.
                    self._json = StreamJson(MessageAnswer())
                return self._words(event.text)
            case ReasoningDelta(index=0):
                return self._open() + self._writer.chunk(0, {"reasoning_content": event.text})
            case Finish(index=0):
                return self._finish_words() + self._writer.chunk(0, {}, event.reason)
            case (
                TextDelta()
                | RefusalDelta()
                | ReasoningDelta()
                | Finish()
                | AudioDelta()
                | ToolCallStarted()
                | ToolCallDelta()
                | Usage()
            ):
                pass  # Other choices, sound and tools were not asked for; nor was the usage.
        return b""

    def end(self) -> bytes:
        """Return the last frames; the id of the last tells an `EventSource` not to ask again."""
        return self._finish_words() + f"id: {self._request_id}-end\ndata: [DONE]\n\n".encode()

    def _words(self, text: str) -> bytes:
        said = text if self._json is None else self._json.feed(text)
        return self._open() + self._say(said)

    def _finish_words(self) -> bytes:
        """Return what closes the words, once: a stream may end with or without a `Finish`."""
        rest = "" if self._json is None else self._json.end()
        return self._open() + self._say(rest)

    def _say(self, words: str) -> bytes:
        if not words:
            return b""
        if self._left_chars > 0:
            self._kept.append(words[: self._left_chars])
            self._left_chars -= len(words)
        return self._writer.chunk(0, {"content": words})

    def _open(self) -> bytes:
        if self._is_begun:
            return b""
        self._is_begun = True
        return self._writer.chunk(0, ROLE_DELTA)
