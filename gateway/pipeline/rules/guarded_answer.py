"""What guards leave of an answer: of its events, or of the whole."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace

from gateway.config.guarding import Action
from gateway.pipeline.rules.guarded_text import Findings, Rule, Scanner
from gateway.schema.events import (
    AudioDelta,
    Choice,
    Finish,
    ReasoningDelta,
    RefusalDelta,
    Started,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from gateway.schema.failure import CallError, Failure
from gateway.schema.json import NO_EXTRA
from gateway.schema.usage import Usage

FILTERED = "content_filter"
"""How OpenAI says that an answer, or the rest of it, was left out."""
MAX_TEXTS = 1024
"""Choices, their reasoning and tool calls: more is no answer."""

Text = tuple[int, str, int]
"""The choice, what of it is said, and for a tool call which."""


class GuardedStream:
    """Takes the events of one generation, and gives those that may leave.

    Every text is held back by as much as its scanner needs, up to the end of its choice. When a
    guard blocks, the choices that have begun end there.
    """

    def __init__(self, rules: tuple[Rule, ...], hold_chars: int, names: dict[str, Action]) -> None:
        self._rules = rules
        self._hold_chars = hold_chars
        self._texts: dict[Text, Scanner] = {}
        self._open: dict[int, None] = {}
        self.findings = Findings(names)

    def take(  # noqa: C901 - one case an event.
        self, event: StreamEvent
    ) -> Iterator[StreamEvent]:
        """Yield what may leave once `event` is there."""
        match event:
            case TextDelta():
                yield from self._said((event.index, "text", 0), event.text)
            case ReasoningDelta():
                yield from self._said((event.index, "reasoning", 0), event.text)
            case RefusalDelta():
                yield from self._said((event.index, "refusal", 0), event.text)
            case ToolCallDelta():
                yield from self._said((event.index, "arguments", event.call), event.arguments)
            case AudioDelta():
                # Its own bytes are not looked through; its words are, and follow them.
                self._open[event.index] = None
                yield replace(event, transcript="", extra=NO_EXTRA)
                yield from self._said((event.index, "transcript", 0), event.transcript)
            case ToolCallStarted():
                self._open[event.index] = None
                yield replace(event, extra=NO_EXTRA)
            case Finish():
                yield from self._rest(event.index)
                if self.findings.blocking is None:
                    self._open.pop(event.index, None)
                    yield replace(event, extra=NO_EXTRA)
            case Started() | Usage():
                yield event
        if self.findings.blocking is not None:
            for index in self._open:
                yield Finish(index, FILTERED)
            self._open.clear()

    def end(self) -> Iterator[StreamEvent]:
        """Yield what was held back of choices that have not ended."""
        for index in list(self._open):
            yield from self._rest(index)

    def _said(self, text: Text, piece: str) -> Iterator[StreamEvent]:
        self._open[text[0]] = None
        scanner = self._texts.get(text)
        if scanner is None:
            if len(self._texts) >= MAX_TEXTS:
                message = f"the answer has more than {MAX_TEXTS} texts"
                raise CallError("upstream_failed", message, failure=Failure.TRANSIENT)
            scanner = Scanner(self._rules, self._hold_chars, self.findings)
            self._texts[text] = scanner
        left = scanner.feed(piece)
        if left:
            yield _event(text, left)

    def _rest(self, index: int) -> Iterator[StreamEvent]:
        for text in [one for one in self._texts if one[0] == index]:
            if self.findings.blocking is None and (left := self._texts.pop(text).end()):
                yield _event(text, left)


def _event(text: Text, words: str) -> StreamEvent:
    index, kind, call = text
    match kind:
        case "reasoning":
            return ReasoningDelta(index, words)
        case "refusal":
            return RefusalDelta(index, words)
        case "arguments":
            return ToolCallDelta(index, call, words)
        case "transcript":
            return AudioDelta(index, b"", words)
        case _:
            return TextDelta(index, words)


async def guard_choice(choice: Choice, scanned: Callable[[str], Awaitable[str | None]]) -> None:
    """Change a whole choice to what `scanned` leaves of its texts; None empties it."""
    choice.extra = choice.audio_extra = NO_EXTRA
    choice.logprobs = []
    left: dict[str, str] = {}
    for name in ("text", "reasoning", "refusal", "transcript"):
        said = await scanned(getattr(choice, name))
        if said is None:
            _empty(choice)
            return
        left[name] = said
    for call in choice.tool_calls:
        arguments = await scanned(call.arguments)
        if arguments is None:
            _empty(choice)
            return
        call.arguments, call.extra = arguments, NO_EXTRA
    if left["transcript"] != choice.transcript:
        choice.audio = b""  # The sound would say it.
    for name, said in left.items():
        setattr(choice, name, said)


def _empty(choice: Choice) -> None:
    choice.text = choice.reasoning = choice.refusal = choice.transcript = ""
    choice.audio = b""
    choice.tool_calls = []
    choice.finish = FILTERED
