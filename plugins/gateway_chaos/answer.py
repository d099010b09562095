"""From a plan and a request to the events of each choice, before any waiting or failing."""

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gateway.schema.chat import (
    ChatRequest,
    CompletionRequest,
    JsonFormat,
    Message,
    NamedTool,
    Sampling,
    Tool,
)
from gateway.schema.events import (
    ReasoningDelta,
    RefusalDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from gateway.schema.failure import Failure
from gateway.sdk import UpstreamError
from gateway_chaos.bounds import UnsatisfiableError
from gateway_chaos.minimal import minimal
from gateway_chaos.plan import MAX_WORDS, Content, Plan

_REASONS = ("Somebody ", "asked; ", "the name ", "of the model ", "says ", "what to do.")
_REFUSAL = ("I ", "was ", "told ", "to ", "refuse ", "this.")
_LEXICON = (
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "heron",
    "inlet",
    "jetty",
    "kelp",
    "larch",
    "marsh",
    "north",
    "otter",
    "pebble",
    "quarry",
    "ridge",
    "slate",
    "thicket",
    "umber",
    "valley",
    "willow",
    "yarrow",
    "zephyr",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One choice: its tokens as text, and what kind of event says them. One event is one token."""

    index: int
    reasons: Sequence[str] = ()
    tokens: Sequence[str] = ()
    is_refusal: bool = False
    call_id: str = ""
    tool: str = ""
    """The tool whose arguments the tokens are; "" when they are words."""
    echoed: str = ""
    """The prompt, when it is to be repeated before the tokens; not counted."""
    finish: str = "stop"

    def events(self) -> Iterator[StreamEvent]:
        """Yield the choice's events, its `Finish` not included."""
        for text in self.reasons:
            yield ReasoningDelta(self.index, text)
        if self.echoed:
            yield TextDelta(self.index, self.echoed)
        if self.tool:
            yield ToolCallStarted(self.index, 0, self.call_id, self.tool)
        for text in self.tokens:
            if self.tool:
                yield ToolCallDelta(self.index, 0, text)
            elif self.is_refusal:
                yield RefusalDelta(self.index, text)
            else:
                yield TextDelta(self.index, text)


def chat_lines(plan: Plan, request: ChatRequest, seed: int) -> list[Line]:
    """Return the choices that `plan` makes of a conversation; raise `UpstreamError`."""
    line = Line(0, _REASONS if plan.is_reasoning else ())
    match _content(plan, request):
        case Content.TOOL:
            return _tool_lines(plan, request, line)
        case Content.WORDS:
            return _words_lines(plan, request.sampling, seed, line)
        case Content.JSON:
            text = _json_text(request.response_format)
            return _alike(replace(line, tokens=_tokens(text)), request.sampling)
        case Content.REFUSAL:
            return _alike(replace(line, tokens=_REFUSAL, is_refusal=True), request.sampling)
        case Content.SAY | Content.NOTHING:
            return _alike(replace(line, tokens=_tokens(plan.text)), request.sampling)
        case Content.ECHO:
            tokens = _tokens(_heard(request.messages))
            return _alike(replace(line, tokens=tokens), request.sampling)


def completion_lines(plan: Plan, request: CompletionRequest, seed: int) -> list[Line]:
    """Return the choices that `plan` makes of plain prompts, in order; raise `UpstreamError`.

    Continuing is saying the prompt again. `json`, `tool` and `refuse` need a conversation.
    """
    if request.suffix:
        msg = "chaos: cannot write towards a suffix"
        raise UpstreamError(Failure.UNSUPPORTED, msg, param="suffix")
    sampling = request.sampling
    if plan.content is Content.WORDS:
        lines = _words_lines(plan, sampling, seed, Line(0), prompts=len(request.prompts))
    else:
        lines = []
        for prompt in request.prompts:
            tokens = _tokens(_continued(plan, prompt))
            more = _alike(Line(0, tokens=tokens), sampling)
            lines += [replace(line, index=len(lines) + line.index) for line in more]
    if not request.is_echoed:
        return lines
    prompts = [prompt for prompt in request.prompts for _ in range(sampling.n)]
    return [replace(line, echoed=prompt) for line, prompt in zip(lines, prompts, strict=True)]


def tokens_in(messages: Sequence[Message]) -> int:
    """Count the words of a conversation."""
    return sum(len(message.text.split()) for message in messages)


def _continued(plan: Plan, prompt: str) -> str:
    match plan.content:
        case Content.SAY | Content.NOTHING:
            return plan.text
        case Content.ECHO | None if prompt:
            return prompt
        case Content.ECHO | None:
            msg = "chaos: there are no words to go on from"
            raise UpstreamError(Failure.CALLER_FAULT, msg, param="prompt")
        case Content.JSON | Content.TOOL | Content.REFUSAL | Content.WORDS:
            msg = "chaos: plain completions know no json, tool or refuse; use chat"
            raise UpstreamError(Failure.UNSUPPORTED, msg)


def _content(plan: Plan, request: ChatRequest) -> Content:
    """Settle what is answered where the name says one thing and the request demands another."""
    content = plan.content or Content.ECHO
    if content in {Content.REFUSAL, Content.NOTHING}:
        return content
    if request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool):
        return Content.TOOL
    if content is Content.TOOL:
        is_answered = bool(request.messages) and request.messages[-1].role == "tool"
        if not is_answered and request.tool_choice != "none":
            return Content.TOOL
        content = Content.ECHO
    if content is Content.ECHO and request.response_format is not None:
        return Content.JSON
    return content


def _tool(plan: Plan, request: ChatRequest) -> Tool:
    named = plan.text if plan.content is Content.TOOL else ""
    choice = request.tool_choice
    name = choice.name if isinstance(choice, NamedTool) else named
    for tool in request.tools:
        if name in {"", tool.name}:
            return tool
    declared = ", ".join(tool.name for tool in request.tools) or "none"
    msg = f"chaos: the tool {name or '(any)'} is not declared; declared: {declared}"
    raise UpstreamError(Failure.CALLER_FAULT, msg, param="tools")


def _tool_lines(plan: Plan, request: ChatRequest, line: Line) -> list[Line]:
    tool = _tool(plan, request)
    tokens = _tokens(_made_up(tool.parameters, "tools"))
    line = _shortened(
        replace(line, tokens=tokens, tool=tool.name, finish="tool_calls"), request.sampling
    )
    # The number of turns keeps ids apart over a conversation, and the same when it is repeated.
    turns = len(request.messages)
    return [
        replace(line, index=index, call_id=f"call_{turns}_{index}")
        for index in range(request.sampling.n)
    ]


def _json_text(wanted: JsonFormat | None) -> str:
    if wanted is None or wanted.schema is None:
        return '{"ok": true}'
    return _made_up(wanted.schema, "response_format")


def _made_up(schema: dict[str, object], param: str) -> str:
    try:
        return json.dumps(minimal(schema), ensure_ascii=False)
    except UnsatisfiableError as error:
        raise UpstreamError(Failure.UNSUPPORTED, f"chaos: {error}", param=param) from None


def _heard(messages: Sequence[Message]) -> str:
    for message in reversed(messages):
        if message.role in {"user", "tool"} and message.text:
            return message.text
    msg = "chaos: there are no words to echo; write some, or say which model name to answer with"
    raise UpstreamError(Failure.CALLER_FAULT, msg, param="messages")


def _tokens(text: str) -> list[str]:
    """Split into words that keep the white space behind them, at most `MAX_WORDS` and one more."""
    found = re.finditer(r"\s*\S+\s*|\s+", text)
    return [word.group() for word in islice(found, MAX_WORDS + 1)]


def _words_lines(
    plan: Plan, sampling: Sampling, seed: int, line: Line, *, prompts: int = 1
) -> list[Line]:
    count = sampling.n * prompts
    if plan.words * count > MAX_WORDS:
        msg = f"chaos: words:{plan.words} for {count} choices is over {MAX_WORDS} words"
        raise UpstreamError(Failure.CALLER_FAULT, msg, param="n")
    lines = []
    for index in range(count):
        chance = random.Random(f"{seed}/{index}")  # noqa: S311 - the same words again is the point.
        tokens = [f"{word} " for word in chance.choices(_LEXICON, k=plan.words)]
        lines.append(_shortened(replace(line, index=index, tokens=tokens), sampling))
    return lines


def _alike(line: Line, sampling: Sampling) -> list[Line]:
    line = _shortened(line, sampling)
    return [replace(line, index=index) for index in range(sampling.n)]


def _shortened(line: Line, sampling: Sampling) -> Line:
    """Return `line` cut at the first stop sequence (words only) and at the most tokens."""
    tokens = line.tokens
    if not line.tool and sampling.stop:
        text = "".join(tokens)
        ends = [end for stop in sampling.stop if stop and (end := text.find(stop)) >= 0]
        if ends:
            tokens = _tokens(text[: min(ends)])
    asked = sampling.max_output_tokens
    limit = MAX_WORDS if asked is None else min(MAX_WORDS, asked)
    room = max(0, limit - len(line.reasons))
    if len(line.reasons) > limit or len(tokens) > room:
        line = replace(line, reasons=line.reasons[:limit], finish="length")
    return replace(line, tokens=tokens[:room])
