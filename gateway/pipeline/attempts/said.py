"""What an answer says, gathered while it passes: enough of it to compare it with another."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from gateway.schema.events import StreamEvent, TextDelta
from gateway.schema.json import read_object
from gateway.schema.reply import Answer, Events, Frames, Made, Reply, Stream, Whole
from gateway.schema.sse import data_of, frames_of

_MOST_BYTES = 1024 * 1024
"""Of one answer; what comes after is not compared."""


class Said:
    """The words of an answer, each choice for itself."""

    __slots__ = ("_frames", "_is_full", "_size", "_texts", "pieces")

    def __init__(self) -> None:
        self._texts: dict[int, list[str]] = {}
        self._frames: list[bytes] = []
        self._size = 0
        self._is_full = False
        self.pieces = 0

    def add_frames(self, block: bytes) -> None:
        """Add frames of OpenAI's wires; they are opened when somebody asks for the words."""
        if self._fits(len(block)):
            self._frames.append(block)

    def add_event(self, event: StreamEvent) -> None:
        """Add an event, if it is words."""
        if isinstance(event, TextDelta) and self._fits(len(event.text)):
            self._texts.setdefault(event.index, []).append(event.text)

    def add_reply(self, body: bytes) -> None:
        """Add a whole reply of OpenAI's wires."""
        reply = read_object(body) if self._fits(len(body)) else None
        self._add_choices(reply or {})

    @property
    def words(self) -> tuple[str, ...]:
        """The words of each choice."""
        frames, self._frames = self._frames, []
        for frame in frames_of(b"".join(frames)):
            self._add_choices(read_object(data_of(frame)) or {})
        return tuple("".join(self._texts[index]) for index in sorted(self._texts))

    def _fits(self, size: int) -> bool:
        self.pieces += 1
        self._is_full = self._is_full or self._size + size > _MOST_BYTES
        self._size += 0 if self._is_full else size
        return not self._is_full

    def _add_choices(self, document: Mapping[str, Any]) -> None:  # Any: JSON values.
        choices = document.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if not isinstance(choice, dict):
                continue
            said = choice.get("delta") or choice.get("message")
            text = said.get("content") if isinstance(said, dict) else choice.get("text")
            index = choice.get("index", 0)
            if isinstance(text, str) and isinstance(index, int):
                self._texts.setdefault(index, []).append(text)


def listened(reply: Reply, said: Said, on_end: Callable[[], None]) -> Reply:
    """Return `reply`, whose words are added to `said` as they pass.

    `on_end` is called when the last was written, at once for what is whole already; never of an
    answer that breaks off, or whose caller leaves.
    """
    match reply:
        case Frames():
            return replace(reply, frames=_passed(reply.frames, said.add_frames, on_end))
        case Events():
            return replace(reply, events=_passed(reply.events, said.add_event, on_end))
        case Whole():
            said.add_reply(reply.body)
        case Answer():
            for choice in reply.collected.choices:
                said.add_event(TextDelta(choice.index, choice.text))
        case Made() | Stream():
            return reply  # No words, or too many of them.
    on_end()
    return reply


async def _passed(
    items: AsyncGenerator[Any],  # Any: frames or events.
    hear: Callable[[Any], None],
    on_end: Callable[[], None],
) -> AsyncGenerator[Any]:
    async with aclosing(items):
        async for item in items:
            hear(item)
            yield item
    on_end()
