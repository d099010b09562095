"""The path of canonical events, for targets that do not take the caller's wire."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import fields, replace

from gateway.config.document import Deadlines
from gateway.pipeline.attempts.visit import Visit
from gateway.pipeline.call import Call, Held, Services
from gateway.pipeline.paths.links import inlined
from gateway.pipeline.paths.watched import Watched
from gateway.pipeline.routing.target import Target
from gateway.pipeline.rules.stages import begun, staged
from gateway.schema.chat import ChatRequest, CompletionRequest, Message, Sampling, TextPart
from gateway.schema.events import (
    Finish,
    Folder,
    Started,
    StreamEvent,
    is_meaningful,
    said_by,
    size_of,
)
from gateway.schema.failure import CallError, Failure
from gateway.schema.reply import Answer, Events
from gateway.schema.usage import Usage
from gateway.sdk.errors import UpstreamError
from gateway.sdk.providers import Attempt
from gateway.sdk.stages import TextRequest

MAX_HELD_EVENTS = 32
_KNOBS = tuple(field.name for field in fields(Sampling))
MAX_ANSWER_CHARS = 16 * 1024 * 1024


async def whole(
    call: Call, target: Target, attempt: Attempt, services: Services, visit: Visit
) -> Answer:
    """Return the whole generation; the target is free again."""
    folder = Folder()
    is_answered = False
    size = 0
    async with aclosing(_generation(call, target, attempt)) as generation:
        async for event in generation:
            _note(event, call)
            folder.add(event)
            is_answered = is_answered or is_meaningful(event)
            size += size_of(event)
            if size > MAX_ANSWER_CHARS:
                raise UpstreamError(Failure.TRANSIENT, "the answer is too large")
    if not is_answered:
        raise UpstreamError(Failure.TRANSIENT, "the answer is empty")
    return Answer(folder.result())


async def stream(
    call: Call, target: Target, attempt: Attempt, services: Services, visit: Visit
) -> Events:
    """Return the events, once the first meaningful one is there."""
    generation = _generation(call, target, attempt)
    try:
        held = await _hold(generation, call)
    except BaseException:
        await generation.aclose()
        raise
    call.held = Held(generation.aclose, visit)
    return Events(_events(held, generation, call, services.document.deadlines))


async def _hold(generation: AsyncGenerator[StreamEvent], call: Call) -> list[StreamEvent]:
    held: list[StreamEvent] = []
    async for event in generation:
        _note(event, call)
        held.append(event)
        if is_meaningful(event) or len(held) > MAX_HELD_EVENTS:
            return held
    raise UpstreamError(Failure.TRANSIENT, "the answer is empty")


async def _events(
    held: list[StreamEvent],
    generation: AsyncGenerator[StreamEvent],
    call: Call,
    deadlines: Deadlines,
) -> AsyncGenerator[StreamEvent]:
    name = call.target.connected.name if call.target else "the provider"
    is_finished = False
    for event in held:
        yield event
    async for event in Watched(generation, call.watch, deadlines.between_tokens_s, name=name):
        _note(event, call)
        is_finished = is_finished or isinstance(event, Finish)
        yield event
    if not (is_finished or any(isinstance(event, Finish) for event in held)):
        raise CallError(
            "upstream_failed", f"{name} broke off its answer", failure=Failure.TRANSIENT
        )


def _generation(call: Call, target: Target, attempt: Attempt) -> AsyncGenerator[StreamEvent]:
    meant = call.request or call.ask.meaning()
    if not isinstance(meant, ChatRequest | CompletionRequest):
        raise UpstreamError(Failure.UNSUPPORTED, "this is no text to generate")
    if call.stages:
        meant, stages = begun(meant, call.stages)
        return staged(_asked(meant, call, target, attempt), stages)
    return _asked(meant, call, target, attempt)


def _asked(
    meant: TextRequest, call: Call, target: Target, attempt: Attempt
) -> AsyncGenerator[StreamEvent]:
    request = replace(meant, model=target.model)
    sampling = meant.sampling
    call.output_ceiling = (sampling.max_output_tokens or 0) * sampling.n or None
    known = target.card.parameters
    if known is not None:
        # What was asked for and is not there is named in a header; a seed of our own is not.
        told = {name: getattr(request.sampling, name) for name in _KNOBS if name in known}
        request = replace(request, sampling=Sampling(**told))
    if isinstance(request, ChatRequest):
        if target.chat is None:
            raise UpstreamError(Failure.UNSUPPORTED, "this provider holds no conversations")
        if call.fetched and not target.card.fetches_links:
            request = inlined(request, call.fetched)
        return target.chat.chat(request, attempt)
    if target.completion is not None:
        return target.completion.complete(request, attempt)
    return _as_chat(request, target, attempt)


def _as_chat(
    request: CompletionRequest, target: Target, attempt: Attempt
) -> AsyncGenerator[StreamEvent]:
    """Ask a chat model to go on from a text: the nearest it can do."""
    if target.chat is None:
        raise UpstreamError(Failure.UNSUPPORTED, "this provider continues no text")
    if request.suffix is not None or len(request.prompts) != 1 or request.is_echoed:
        name = "suffix" if request.suffix is not None else "echo" if request.is_echoed else "prompt"
        raise UpstreamError(Failure.UNSUPPORTED, f"{name} needs a completion model", param=name)
    turn = Message("user", (TextPart(request.prompts[0]),))
    return target.chat.chat(ChatRequest(request.model, (turn,), request.sampling), attempt)


def _note(event: StreamEvent, call: Call) -> None:
    said = said_by(event)
    if said:
        call.written.add(len(said))
    elif isinstance(event, Usage):
        call.usage = event
    elif isinstance(event, Started) and event.model is not None:
        call.model = event.model
