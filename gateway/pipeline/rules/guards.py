"""What a model's requests and answers may not say: two steps, before and after a target is asked.

Neither an error nor the log repeats what was found.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from gateway.pipeline.call import Call
from gateway.pipeline.limits.lengths import WRITES
from gateway.pipeline.rules.guarded_answer import GuardedStream, guard_choice
from gateway.pipeline.rules.guarded_request import slots_of, tokens_in, with_texts
from gateway.pipeline.rules.guarded_text import WINDOW_CHARS, Findings, GuardSet, Rule, Scanner
from gateway.schema.events import StreamEvent
from gateway.schema.failure import CallError
from gateway.schema.json import Wire
from gateway.schema.knobs import knobs_of
from gateway.schema.reply import Answer, Events, Reply

_TEXT_CHARS = 200
"""What a short text costs, in characters of a long one."""


async def check(call: Call, guards: GuardSet) -> None:
    """Look through what is asked, and see to it that the answer can be looked through.

    Raises 400 `content_filter` naming the guard that blocks, 400 `unsupported_feature` for tokens.
    """
    if guards.output and not call.ask.needs.isdisjoint(WRITES):
        _open(call)
    if not guards.input:
        return
    findings = Findings(call.guards)
    scanning = _Scanning(guards.input, guards.hold_chars)
    wire = call.ask.wire
    if wire is None:
        await _check_canonical(call, findings, scanning)
    else:
        await _check_document(call, wire, findings, scanning)
    ask = call.ask
    if findings.is_redacted and ask.finishing is not None:
        ask.finishing = replace(ask.finishing, metadata=None)  # It holds the prompt.


async def guarded(reply: Reply, call: Call, guards: GuardSet) -> Reply:
    """Return what may leave of a text that a model writes; all else as it is.

    Raises 400 `content_filter` where the caller's format cannot say that an answer was left out.
    """
    if not (guards.output and call.is_opened):
        return reply
    match reply:
        case Answer():
            for choice in reply.collected.choices:
                findings = Findings(call.guards)
                scanning = _Scanning(guards.output, guards.hold_chars)
                await guard_choice(choice, partial(scanning.scanned, findings=findings))
                if findings.blocking is not None and not call.ask.dialect.startswith("openai"):
                    raise _blocked(findings.blocking, "the answer was held back")
            return reply
        case Events():
            stream = GuardedStream(guards.output, guards.hold_chars, call.guards)
            return Events(_guarded(reply.events, stream))
        case _:  # What is opened comes as events.
            msg = f"an answer to be looked through came as {type(reply).__name__}"
            raise TypeError(msg)


async def _guarded(
    events: AsyncGenerator[StreamEvent], stream: GuardedStream
) -> AsyncGenerator[StreamEvent]:
    async with aclosing(events):
        async for event in events:
            for one in stream.take(event):
                yield one
            if stream.findings.blocking is not None:
                return
        for one in stream.end():
            yield one


def _open(call: Call) -> None:
    """Have the answer come as events, without the tokens that were thought of besides."""
    ask = call.ask
    call.is_opened = True
    asked = [n for n in ("logprobs", "top_logprobs") if ask.document.pop(n, None) is not None]
    if asked:
        call.removed_fields = (*call.removed_fields, *asked)
        ask.knobs = knobs_of(ask.document)


async def _check_document(
    call: Call, wire: Wire, findings: Findings, scanning: "_Scanning"
) -> None:
    document = call.ask.document
    if (field := tokens_in(wire, document)) is not None:
        message = "what is asked of this model is looked through, so it takes no tokens: send text"
        raise CallError("unsupported_feature", message, param=field)
    for holder, name, place in list(slots_of(wire, document, added_turns=call.added_turns)):
        said = holder[name]
        left = await scanning.scanned(said, findings=findings)
        if left is None:
            raise _refusal(findings, place)
        if left is not said:
            holder[name] = left


async def _check_canonical(call: Call, findings: Findings, scanning: "_Scanning") -> None:
    ask = call.ask
    request = ask.meaning()
    texts: list[str] = []

    def gather(text: str) -> str:
        texts.append(text)
        return text

    with_texts(request, gather)
    left = [await scanning.scanned(text, findings=findings) for text in texts]
    if findings.blocking is not None:
        raise _refusal(findings, None)
    if findings.is_redacted:
        said = iter(left)
        changed = with_texts(request, lambda _: next(said) or "")
        ask.translate = lambda _: changed


class _Scanning:
    """Looks through texts of any length and number, and lets others work in between."""

    def __init__(self, rules: Sequence[Rule], hold_chars: int) -> None:
        self._rules = rules
        self._hold_chars = hold_chars
        self._left = WINDOW_CHARS

    async def scanned(self, text: str, *, findings: Findings) -> str | None:
        """Return what is left of `text`, the same object if it is all; None if it is blocked."""
        scanner = Scanner(self._rules, self._hold_chars, findings)
        pieces = []
        for start in range(0, len(text), WINDOW_CHARS):
            piece = text[start : start + WINDOW_CHARS]
            pieces.append(scanner.feed(piece))
            self._left -= (len(piece) + _TEXT_CHARS) * max(1, len(self._rules) // 4)
            if self._left < 0:
                self._left = WINDOW_CHARS
                await asyncio.sleep(0)
        pieces.append(scanner.end())
        if findings.blocking is not None:
            return None
        left = "".join(pieces)
        return text if left == text else left


def _refusal(findings: Findings, place: str | None) -> CallError:
    rule = findings.blocking
    if rule is None:
        msg = "nothing blocks"
        raise RuntimeError(msg)
    return _blocked(rule, "the request was not sent", place)


def _blocked(rule: Rule, what: str, place: str | None = None) -> CallError:
    message = rule.message or f"{what}: the guard {rule.name} does not let it pass"
    return CallError("content_filter", message, param=place, details={"guard": rule.name})
