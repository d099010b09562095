"""Tool calls that a model writes as text, found while they are being written.

Qwen2.5-Coder answers with a bare object, one in a JSON fence or one in `<tool_call>` tags, which
llama.cpp passes on as words. An object is a call when its name is a declared tool's; anything else
stays text.
"""

import re
import secrets
from collections.abc import Collection
from enum import Enum, auto

import orjson

from gateway.schema.events import Finish, StreamEvent, TextDelta, ToolCallDelta, ToolCallStarted
from gateway.schema.json import JsonObject, read_object

_OPENERS = ("<tool_call>", "```json", "```")
_NOISE = re.compile(r"(?:[\s,\[\]}`]|</?tool_call>|json)+")
_NOISE_WORDS = ("</tool_call>", "<tool_call>", "json")
_KEY = re.compile(r'\{\s*"([^"\\]*)("?)')
_KEYS = ("name", "arguments", "parameters", "type", "function")
_NAME = re.compile(r'\{\s*"name"\s*:\s*"([^"\\]*)"')
_HEAD = re.compile(r'\{\s*"name"\s*:\s*"([^"\\]*)"\s*,\s*"(?:arguments|parameters)"\s*:\s*(?=\{)')
_HELD_CHARACTERS = 64 * 1024  # What is longer and still not a call is text.


def call_id() -> str:
    """Return a new id in the form that OpenAI's have."""
    return f"call_{secrets.token_hex(12)}"


class _State(Enum):
    START = auto()  # Anything may come: a call, bare or wrapped, or prose.
    LINE = auto()  # A line of prose begins like a wrapped call.
    PROSE = auto()
    ARGUMENTS = auto()
    AFTER = auto()  # A call is complete: more may come.
    OVER = auto()


class ToolText:
    """Reads one choice's text and says what of it is text and what a call.

    Text is held back only while it can still become a call. After a call only further calls
    count: what small models write there is an invented result. With `is_single` the first call is
    the last. Log probabilities go with the first words of the delta that they came with.
    """

    def __init__(self, names: Collection[str], *, index: int = 0, is_single: bool = False) -> None:
        self._names = names
        self._index = index
        self._is_single = is_single
        self._state = _State.START
        self._held = ""
        self._logprobs: list[JsonObject] = []
        self._end = _ObjectEnd()
        self._calls = 0
        self._is_line_fresh = False

    @property
    def has_called(self) -> bool:
        """A call has begun."""
        return self._calls > 0

    def feed(self, delta: TextDelta) -> list[StreamEvent]:
        """Take the next words; return what is certain by now."""
        self._held += delta.text
        self._logprobs += delta.logprobs
        return self._read()

    def finish(self, reason: str) -> list[StreamEvent]:
        """Return what was held back, and the end of the choice."""
        events: list[StreamEvent] = []
        if self._state in {_State.START, _State.LINE}:
            self._say(events, self._held)
        if self._state is _State.ARGUMENTS:
            reason = "length"  # A stop sequence, or the model, cut the call: nobody may run it.
        elif self._calls and reason == "stop":
            reason = "tool_calls"
        return [*events, Finish(self._index, reason)]

    def _read(self) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        before = None
        while before != (self._state, self._held):
            before = (self._state, self._held)
            match self._state:
                case _State.START:
                    self._open(events, _opening(self._held, is_bare_allowed=True))
                case _State.LINE:
                    self._open(events, _opening(self._held, is_bare_allowed=False))
                case _State.PROSE:
                    self._prose(events)
                case _State.ARGUMENTS:
                    self._arguments(events)
                case _State.AFTER:
                    self._after(events)
                case _State.OVER:
                    self._held = ""
        return events

    def _open(self, events: list[StreamEvent], start: int | None) -> None:
        """Go on from where an object may begin: None is "wait", -1 "it does not"."""
        if start is None:
            return
        found = self._call_at(events, start) if start >= 0 else False
        if found is False:
            self._state = _State.PROSE
            self._end = _ObjectEnd()
            # The line that was looked at is prose, and is not looked at again.
            begun = len(self._held) - len(self._held.lstrip())
            line = self._held.find("\n", begun) + 1
            self._is_line_fresh = line > 0
            self._say(events, self._held[: line or None])

    def _prose(self, events: list[StreamEvent]) -> None:
        """Say line by line; stop at a line that begins like a wrapped call."""
        said = 0
        is_fresh = self._is_line_fresh
        while said < len(self._held):
            if is_fresh and self._held[said:].lstrip(" \t")[:1] in {"`", "<"}:
                self._state = _State.LINE
                break
            end = self._held.find("\n", said) + 1
            is_fresh = end > 0 or (is_fresh and not self._held[said:].strip(" \t"))
            said = end or len(self._held)
        self._say(events, self._held[:said])
        self._is_line_fresh = is_fresh

    def _call_at(self, events: list[StreamEvent], start: int) -> bool | None:
        """Begin the call at `start`; say whether there is one, None if more must be read."""
        text = self._held[start:]
        head = _HEAD.match(text)
        if head is not None and head[1] in self._names:
            self._begin(events, head[1])
            self._held = text[head.end() :]
            self._state = _State.ARGUMENTS
            self._end = _ObjectEnd()
            return True
        if not _can_be_call(text, self._names) or len(text) > _HELD_CHARACTERS:
            return False
        end = self._end.find(text)
        if end is None:
            return None
        self._end = _ObjectEnd()
        call = _call_in(read_object(text[:end].encode()) or {}, self._names)
        if call is None:
            return False
        name, arguments = call
        number = self._begin(events, name)
        events.append(ToolCallDelta(self._index, number, arguments))
        self._held = text[end:]
        self._state = _State.AFTER
        return True

    def _arguments(self, events: list[StreamEvent]) -> None:
        end = self._end.find(self._held)
        piece = self._held[:end]
        if piece:
            events.append(ToolCallDelta(self._index, self._calls - 1, piece))
        self._held = self._held[len(piece) :]
        if end is None:
            self._end.forget(len(piece))
        else:
            self._end = _ObjectEnd()
            self._state = _State.AFTER

    def _after(self, events: list[StreamEvent]) -> None:
        if self._is_single:
            self._state = _State.OVER
            return
        noise = _NOISE.match(self._held)
        text = self._held[noise.end() :] if noise else self._held
        if text.startswith("{"):
            # Measured from here on, so that what is known of the object's end stays true.
            self._held = text
            if self._call_at(events, 0) is False:
                self._state = _State.OVER
        elif text and not any(word.startswith(text) for word in _NOISE_WORDS):
            self._state = _State.OVER

    def _begin(self, events: list[StreamEvent], name: str) -> int:
        number = self._calls
        self._calls += 1
        self._logprobs.clear()
        events.append(ToolCallStarted(self._index, number, call_id(), name))
        return number

    def _say(self, events: list[StreamEvent], text: str) -> None:
        self._held = self._held[len(text) :]
        if text:
            events.append(TextDelta(self._index, text, tuple(self._logprobs)))
            self._logprobs.clear()


class _ObjectEnd:
    """Finds where an object ends in a text that grows, reading each character once."""

    __slots__ = ("_depth", "_is_escaped", "_is_string", "_read")

    def __init__(self) -> None:
        self._read = 0
        self._depth = 0
        self._is_string = False
        self._is_escaped = False

    def find(self, text: str) -> int | None:
        """Return the position after the closing brace, None if it has not come."""
        for position in range(self._read, len(text)):
            character = text[position]
            if self._is_escaped:
                self._is_escaped = False
            elif self._is_string:
                self._is_escaped = character == "\\"
                self._is_string = character != '"'
            elif character == '"':
                self._is_string = True
            elif character in "{[":
                self._depth += 1
            elif character in "}]":
                self._depth -= 1
                if self._depth <= 0:
                    return position + 1
        self._read = len(text)
        return None

    def forget(self, characters: int) -> None:
        """The text lost so many characters at its front."""
        self._read -= characters


def _opening(text: str, *, is_bare_allowed: bool) -> int | None:
    """Return where the object begins that `text` opens with; None to wait, -1 for none."""
    rest = text.lstrip()
    if not rest:
        return None
    for opener in _OPENERS:
        if opener.startswith(rest):
            return None
        if rest.startswith(opener):
            rest = rest.removeprefix(opener).lstrip()
            is_bare_allowed = True
            break
    if not is_bare_allowed:
        return -1
    rest = rest.removeprefix("[").lstrip()
    if not rest:
        return None
    return len(text) - len(rest) if rest.startswith("{") else -1


def _can_be_call(text: str, names: Collection[str]) -> bool:
    """Say whether an object that begins like `text` can turn out to be a call."""
    if not text[1:].strip():
        return True
    key = _KEY.match(text)
    if key is None:
        return False
    if not (key[1] in _KEYS if key[2] else any(known.startswith(key[1]) for known in _KEYS)):
        return False
    name = _NAME.match(text)
    return name is None or name[1] in names


def _call_in(document: JsonObject, names: Collection[str]) -> tuple[str, str] | None:
    """Return the name and the JSON arguments of the call that `document` is, if it is one."""
    inner = document.get("function")
    call = inner if isinstance(inner, dict) else document
    name = call.get("name")
    arguments = call.get("arguments", call.get("parameters", {}))
    if not isinstance(name, str) or name not in names:
        return None
    if isinstance(arguments, str) and read_object(arguments.encode()) is not None:
        return name, arguments
    return (name, orjson.dumps(arguments).decode()) if isinstance(arguments, dict) else None
