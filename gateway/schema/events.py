"""What a generation says while it goes on, and the one fold over it.

A provider yields `Started` (optional), deltas, one `Finish` for each choice and at last one `Usage`
if it knows it. `index` is the choice, `call` the position of a tool call within it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.schema.json import NO_EXTRA, Extra, JsonObject
from gateway.schema.usage import Usage


@dataclass(frozen=True, slots=True)
class Started:
    """The upstream has accepted; its own name for the model and time of creation, if it said."""

    model: str | None = None
    created: int | None = None
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More words; `logprobs` are OpenAI's token entries for exactly these words."""

    index: int
    text: str
    logprobs: tuple[JsonObject, ...] = ()
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the model's reasoning, never part of the answer."""

    index: int
    text: str
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More of a refusal."""

    index: int
    text: str
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """More sound (encoded bytes) and the words it speaks."""

    index: int
    data: bytes
    transcript: str = ""
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class ToolCallStarted:
    """The model begins to ask for a tool."""

    index: int
    call: int
    id: str
    name: str
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of the JSON text of a tool call's arguments."""

    index: int
    call: int
    arguments: str


@dataclass(frozen=True, slots=True)
class Finish:
    """A choice is complete: `stop`, `length`, `tool_calls`, `content_filter`, or another word."""

    index: int
    reason: str
    extra: Extra = NO_EXTRA


StreamEvent = (
    Started
    | TextDelta
    | ReasoningDelta
    | RefusalDelta
    | AudioDelta
    | ToolCallStarted
    | ToolCallDelta
    | Finish
    | Usage
)


@dataclass(slots=True)
class CollectedCall:
    """A whole tool call."""

    id: str
    name: str
    arguments: str = ""
    extra: Extra = NO_EXTRA


@dataclass(slots=True)
class Choice:
    """One whole answer."""

    index: int
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    audio: bytes = b""
    transcript: str = ""
    audio_extra: Extra = NO_EXTRA
    tool_calls: list[CollectedCall] = field(default_factory=list)
    logprobs: list[JsonObject] = field(default_factory=list)
    finish: str | None = None
    extra: Extra = NO_EXTRA


@dataclass(slots=True)
class Collected:
    """A whole generation."""

    started: Started
    choices: list[Choice]
    usage: Usage | None


def is_meaningful(event: StreamEvent) -> bool:
    """Say whether `event` carries part of an answer: from here on no other target may try."""
    match event:
        case TextDelta() | ReasoningDelta() | RefusalDelta():
            return event.text != ""
        case AudioDelta():
            return event.data != b"" or event.transcript != ""
        case ToolCallStarted():
            return True
        case ToolCallDelta():
            return event.arguments != ""
        case Started() | Finish() | Usage():
            return False


def said_by(event: StreamEvent) -> str:
    """Return the words of an event, whatever they are for."""
    match event:
        case TextDelta() | ReasoningDelta() | RefusalDelta():
            return event.text
        case ToolCallDelta():
            return event.arguments
        case ToolCallStarted():
            return event.name
        case AudioDelta():
            return event.transcript
        case Started() | Finish() | Usage():
            return ""


def size_of(event: StreamEvent) -> int:
    """Return how much an event says: characters, and bytes of sound."""
    return len(said_by(event)) + len(getattr(event, "data", b""))


def collect(events: Iterable[StreamEvent]) -> Collected:
    """Fold a generation's events into whole answers, choices in the order of their index."""
    folder = Folder()
    for event in events:
        folder.add(event)
    return folder.result()


class Folder:
    """The fold itself, for events that arrive one by one."""

    def __init__(self) -> None:
        self._started = Started()
        self._choices: dict[int, Choice] = {}
        self._text: dict[tuple[int, str], list[str]] = {}
        self._audio: dict[int, list[bytes]] = {}
        self._calls: dict[tuple[int, int], tuple[CollectedCall, list[str]]] = {}
        self._usage: Usage | None = None

    def add(self, event: StreamEvent) -> None:  # noqa: C901 - one case an event.
        """Take the next event."""
        match event:
            case Started():
                self._started = event
            case Usage():
                self._usage = event
            case TextDelta():
                self._words(event.index, "text", event.text)
                self._choice(event.index).logprobs.extend(event.logprobs)
            case ReasoningDelta():
                self._words(event.index, "reasoning", event.text)
            case RefusalDelta():
                self._words(event.index, "refusal", event.text)
            case AudioDelta():
                self._words(event.index, "transcript", event.transcript)
                self._audio.setdefault(event.index, []).append(event.data)
                choice = self._choice(event.index)
                choice.audio_extra = event.extra or choice.audio_extra
            case ToolCallStarted():
                call = CollectedCall(event.id, event.name, extra=event.extra)
                self._choice(event.index).tool_calls.append(call)
                self._calls[event.index, event.call] = (call, [])
            case ToolCallDelta():
                known = self._calls.get((event.index, event.call))
                if known is not None:
                    known[1].append(event.arguments)
            case Finish():
                choice = self._choice(event.index)
                choice.finish = event.reason
                choice.extra = event.extra or choice.extra

    def result(self) -> Collected:
        """Return what has been said so far."""
        for (index, name), pieces in self._text.items():
            setattr(self._choice(index), name, "".join(pieces))
        for index, sounds in self._audio.items():
            self._choice(index).audio = b"".join(sounds)
        for call, pieces in self._calls.values():
            call.arguments = "".join(pieces)
        choices = [self._choices[index] for index in sorted(self._choices)]
        return Collected(self._started, choices, self._usage)

    def _words(self, index: int, name: str, text: str) -> None:
        self._choice(index)
        self._text.setdefault((index, name), []).append(text)

    def _choice(self, index: int) -> Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = Choice(index)
        return choice
