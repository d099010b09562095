"""What a model name of `kind: chaos` can say, and what it means.

A name is words joined by `+`: at most one that says what is answered, any number that say how.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from gateway.schema.failure import Failure
from gateway_chaos.plan import MAX_WORDS, Content, Fault, Plan
from gateway_chaos.values import after_colon, count, seconds, split_after

PREFIX = "chaos/"
"""What a name may begin with: a family of models such as `chaos/*` passes names on as they are."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the vocabulary: `form` is how it is written, `example` a name that works."""

    name: str
    form: str
    example: str
    meaning: str
    apply: Callable[[Plan, str], Plan]
    """Returns the plan with what the value adds; raises `ValueError` saying what is wrong."""


def plan_of(model: str) -> Plan:
    """Return what `model` asks for; raise `ValueError` naming what is wrong and all words."""
    plan = Plan()
    for said in model.removeprefix(PREFIX).split("+"):
        name = re.split("[:@]", said, maxsplit=1)[0]
        word = _BY_NAME.get(name)
        if word is None:
            msg = f"{said!r} is no word of chaos; join words by +: {_forms()}"
            raise ValueError(msg)
        try:
            plan = word.apply(plan, said[len(name) :])
        except ValueError as error:
            msg = f"{said!r}: {error}; write {word.form}, for example {word.example}"
            raise ValueError(msg) from None
    if plan.flaky > 1 and plan.fault is None:
        return replace(plan, fault=Fault(Failure.TRANSIENT))
    return plan


def _forms() -> str:
    return ", ".join(word.form for word in VOCABULARY)


def _bare(plan: Plan, value: str) -> Plan:
    if value:
        msg = f"{value!r} is too much"
        raise ValueError(msg)
    return plan


def _content(content: Content) -> Callable[[Plan, str], Plan]:
    def apply(plan: Plan, value: str) -> Plan:
        return _saying(_bare(plan, value), content)

    return apply


def _say(plan: Plan, value: str) -> Plan:
    text = unquote(after_colon(value), errors="strict")
    return replace(_saying(plan, Content.SAY), text=text)


def _words(plan: Plan, value: str) -> Plan:
    return replace(_saying(plan, Content.WORDS), words=count(after_colon(value), 1, MAX_WORDS))


def _tool(plan: Plan, value: str) -> Plan:
    text = after_colon(value) if value else ""
    return replace(_saying(plan, Content.TOOL), text=text)


def _reasoning(plan: Plan, value: str) -> Plan:
    return replace(_bare(plan, value), is_reasoning=True)


def _delay(plan: Plan, value: str) -> Plan:
    return replace(plan, delay_s=seconds(value))


def _first_token(plan: Plan, value: str) -> Plan:
    return replace(plan, first_token_s=seconds(value))


def _gap(plan: Plan, value: str) -> Plan:
    return replace(plan, gap_s=seconds(value))


def _hang(plan: Plan, value: str) -> Plan:
    rest, after = split_after(value)
    return replace(_bare(plan, rest), hang_after=after or 0)


def _fail(plan: Plan, value: str) -> Plan:
    rest, after = split_after(value)
    try:
        failure = Failure(after_colon(rest))
    except ValueError:
        msg = f"the failures are {', '.join(Failure)}"
        raise ValueError(msg) from None
    return _failing(plan, Fault(failure, after))


def _status(plan: Plan, value: str) -> Plan:
    code = count(after_colon(value), 400, 599)
    failure = _BY_STATUS.get(code)
    if failure is None:
        failure = Failure.TRANSIENT if code >= _SERVER_ERROR else Failure.UNKNOWN
    return _failing(plan, Fault(failure, status=code))


def _retry_after(plan: Plan, value: str) -> Plan:
    return replace(plan, retry_after_s=seconds(value))


def _flaky(plan: Plan, value: str) -> Plan:
    return replace(plan, flaky=count(after_colon(value), 2, 1_000_000))


def _usage(plan: Plan, value: str) -> Plan:
    came_in, slash, went_out = after_colon(value).partition("/")
    if not slash:
        msg = "a slash divides what went in from what came out"
        raise ValueError(msg)
    return replace(plan, usage=(count(came_in, 0, 10**9), count(went_out, 0, 10**9)))


def _saying(plan: Plan, content: Content) -> Plan:
    if plan.content is not None:
        msg = "only one word of a name can say what is answered"
        raise ValueError(msg)
    return replace(plan, content=content)


def _failing(plan: Plan, fault: Fault) -> Plan:
    if plan.fault is not None:
        msg = "a call fails in one way only"
        raise ValueError(msg)
    return replace(plan, fault=fault)


_SERVER_ERROR = 500
_BY_STATUS = {
    400: Failure.CALLER_FAULT,
    401: Failure.CREDENTIAL,
    402: Failure.QUOTA,
    403: Failure.MODEL_ACCESS,
    404: Failure.MODEL_GONE,
    408: Failure.TIMEOUT,
    413: Failure.CONTEXT_LENGTH,
    422: Failure.CALLER_FAULT,
    429: Failure.RATE_LIMIT,
    451: Failure.REGION_BLOCKED,
    504: Failure.TIMEOUT,
}

VOCABULARY = (
    Word(
        "echo",
        "echo",
        "echo",
        "Answers with the last user turn, word by word, or as `json` does where the request demands"
        " JSON. What a name without any such word does.",
        _content(Content.ECHO),
    ),
    Word(
        "say",
        "say:TEXT",
        "say:good%20morning",
        "Answers with TEXT whatever was asked; percent-encoding stands for spaces, `+` (`%2B`) and"
        " the like.",
        _say,
    ),
    Word(
        "words",
        "words:N",
        "words:200",
        "Answers with N words, up to 100,000; the same ones for the same `seed`.",
        _words,
    ),
    Word(
        "json",
        "json",
        "json",
        "Answers with an object, the smallest that satisfies the schema in `response_format`.",
        _content(Content.JSON),
    ),
    Word(
        "tool",
        "tool or tool:NAME",
        "tool:get_weather",
        "Asks for the named tool, or the first one declared, with the smallest arguments that"
        " satisfy its schema. Once the tool's result is the last turn, echoes that result.",
        _tool,
    ),
    Word("refuse", "refuse", "refuse", "Answers with a refusal.", _content(Content.REFUSAL)),
    Word("empty", "empty", "empty", "Finishes without a word.", _content(Content.NOTHING)),
    Word("reasoning", "reasoning", "reasoning+echo", "Reasons before it answers.", _reasoning),
    Word(
        "delay",
        "delay:TIME",
        "delay:10ms",
        "Waits before it accepts the call (`2s`, `100ms`; 600 s at most).",
        _delay,
    ),
    Word(
        "first-token",
        "first-token:TIME",
        "first-token:10ms",
        "Accepts the call, then waits before the first token.",
        _first_token,
    ),
    Word("gap", "gap:TIME", "gap:1ms+words:5", "Waits between tokens.", _gap),
    Word(
        "hang",
        "hang or hang@N",
        "hang@3",
        "Accepts the call and says nothing, or nothing after N tokens; a timeout after 600 s.",
        _hang,
    ),
    Word(
        "fail",
        "fail:CLASS or fail:CLASS@N",
        "fail:transient@3",
        "Fails at once, or after N tokens. CLASS is one of"
        f" {', '.join(f'`{name}`' for name in Failure)}.",
        _fail,
    ),
    Word(
        "status",
        "status:CODE",
        "status:503",
        "Fails as an upstream does that answers with this HTTP status, 400 to 599.",
        _status,
    ),
    Word(
        "retry-after",
        "retry-after:TIME",
        "fail:rate_limit+retry-after:9s",
        "The failure asks for this wait.",
        _retry_after,
    ),
    Word(
        "flaky",
        "flaky:N",
        "flaky:3",
        "Only each Nth call of this name fails, `transient` unless the name says how.",
        _flaky,
    ),
    Word(
        "usage",
        "usage:IN/OUT",
        "usage:10/20",
        "Reports these tokens instead of the words that were counted.",
        _usage,
    ),
)
"""Every word, in the order of docs/chaos.md."""

_BY_NAME = {word.name: word for word in VOCABULARY}
