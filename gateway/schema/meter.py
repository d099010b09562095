"""How much an answer says, where its upstream does not count: by lengths alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from gateway.schema.estimate import tokens_of
from gateway.schema.json import JsonObject, read_object
from gateway.schema.sse import DONE, data_of, frames_of

_LESSONS = 4
_CHOICES = b'"choices"'
"""Once in each chunk; within a text its marks would be escaped."""
_WORDS = ("content", "reasoning_content", "reasoning", "refusal")
_BARE_CALL_BYTES = len(b'[{"index":0,"function":{"arguments":""}}]')


@dataclass(slots=True)
class Written:
    """How much has been written: pieces, and the characters in them. No piece is no answer yet."""

    pieces: int = 0
    characters: int = 0

    @property
    def tokens(self) -> int:
        """The tokens of it: one for four characters, and at least one for each piece."""
        return max(tokens_of(self.characters), self.pieces)

    def add(self, characters: int) -> None:
        """Count one more piece."""
        self.pieces += 1
        self.characters += characters


@dataclass(slots=True)
class FrameMeter:
    """Measures the frames of one forwarded stream of OpenAI's wires without opening them.

    What the first chunks of the answer have around their words is taken off the others.
    """

    size_bytes: int = 0
    chunks: int = 0
    first_bytes: int = 0
    """What the first chunk of the answer says; it often says the role as well."""
    envelope_bytes: int | None = None
    lessons: int = 0
    """How many more frames may be opened to learn the envelope from."""

    def watch(self, block: bytes) -> None:
        """Count a block of whole frames. Runs for each: two looks at its bytes, in C."""
        self.size_bytes += len(block)
        self.chunks += block.count(_CHOICES)
        if self.lessons:
            self.learn(next(frames_of(block), b""))

    def skip(self, frame: bytes) -> None:
        """Take off a frame that was watched and is no part of the answer."""
        self.size_bytes -= len(frame)
        self.chunks -= frame.count(_CHOICES)

    def begin(self, frame: bytes, chunk: JsonObject) -> None:
        """Measure the first frame with a part of the answer, and the chunk in it."""
        said = _said_bytes(chunk)
        if said is not None:
            self.skip(frame)
            self.chunks += 1
            self.first_bytes, self.envelope_bytes = said, len(frame) - said
            self.lessons = _LESSONS

    def learn(self, frame: bytes) -> None:
        """Take the envelope from a later frame, if that says something."""
        chunk = read_object(data_of(frame)) if frame else None
        if chunk is None:
            return
        self.lessons -= 1
        said = _said_bytes(chunk)
        if said:
            self.envelope_bytes, self.lessons = len(frame) - said, 0

    def finish(self, block: bytes) -> None:
        """Take off the chunks at the end of a block that say no more than why the answer ends."""
        for frame in reversed(list(frames_of(block))):
            chunk = read_object(data_of(frame))
            if chunk is None:
                continue
            if _said_bytes(chunk) != 0:
                break
            self.skip(frame)

    def written(self, *, is_done: bool) -> Written:
        """Return what has been written so far, about; `[DONE]` is no part of it."""
        size = self.size_bytes - (len(DONE) if is_done else 0)
        if self.envelope_bytes is None:
            return Written(self.chunks)
        later = max(0, size - (self.chunks - 1) * self.envelope_bytes)
        return Written(self.chunks, self.first_bytes + later)


def written_in(reply: JsonObject) -> Written:
    """Return what a whole reply of OpenAI's wires says, a piece for each choice."""
    written = Written()
    for choice in _choices(reply):
        said = choice.get("message")
        said = said if isinstance(said, dict) else {}
        words = sum(map(len, _words(choice, said)))
        written.add(words + len(orjson.dumps(said.get("tool_calls") or "")) - len('""'))
    return written


def _said_bytes(chunk: JsonObject) -> int | None:
    """Return the bytes of a chunk that are no envelope; None for sound, which says no length."""
    size = 0
    for choice in _choices(chunk):
        said = choice.get("delta")
        said = said if isinstance(said, dict) else {}
        if said.get("audio"):
            return None
        size += sum(len(orjson.dumps(text)) - len('""') for text in _words(choice, said))
        if said.get("tool_calls"):
            size += max(0, len(orjson.dumps(said["tool_calls"])) - _BARE_CALL_BYTES)
    return size


def _choices(document: JsonObject) -> Iterator[JsonObject]:
    choices = document.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            yield choice


def _words(choice: JsonObject, said: JsonObject) -> Iterator[str]:
    for text in (choice.get("text"), *(said.get(name) for name in _WORDS)):
        if isinstance(text, str):
            yield text
