"""Step 4: try targets until one answers.

A caller's document goes through as it is when a target takes its wire (`forward`); else the target
yields events. Either way nothing reaches the caller before the first meaningful piece, so until
then another target can still answer.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from types import MappingProxyType

from gateway.pipeline.attempts.hedge import Hedging
from gateway.pipeline.attempts.race import hedged_answer
from gateway.pipeline.attempts.tries import first_answer
from gateway.pipeline.attempts.visit import Visit
from gateway.pipeline.attempts.visiting import at_target
from gateway.pipeline.call import Call, Services
from gateway.pipeline.paths import events, forward, hearing, links, media, speaking
from gateway.pipeline.routing.candidates import dropped_knobs
from gateway.pipeline.routing.target import Target
from gateway.schema.ask import Ask, Feature
from gateway.schema.chat import ChatRequest
from gateway.schema.meter import Written
from gateway.schema.reply import Reply
from gateway.schema.wires import fields_of
from gateway.sdk.providers import Attempt

_BY_ANSWER = MappingProxyType({"text": "events", "thing": "media", "bytes": "media"})
_PATHS: Mapping[
    tuple[str, bool], Callable[[Call, Target, Attempt, Services, Visit], Awaitable[Reply]]
] = MappingProxyType(
    {
        ("forward", True): forward.stream,
        ("forward", False): forward.whole,
        ("events", True): events.stream,
        ("events", False): events.whole,
        ("media", True): media.stream,
        ("media", False): media.whole,
    }
)


def attempt(
    call: Call, targets: Sequence[Target], services: Services, hedging: Hedging | None = None
) -> Awaitable[Reply]:
    """Return what awaits the first answer, and raises the last attempt's error for the caller."""
    if hedging is not None and len(targets) > 1:
        return hedged_answer(call, targets, services, hedging, partial(ask, services))
    return first_answer(call, targets, services, partial(ask, services, call))


async def ask(services: Services, call: Call, target: Target, number: int) -> Reply:
    """Make one attempt at `target`, for the first time or beside another; raise what it raises."""
    call.target = target
    call.dropped_params = dropped_knobs(target, call.ask)
    if call.dropped_params:
        document = call.ask.document
        said = (fields_of(knob, document) for knob in call.dropped_params)
        call.dropped_fields = tuple(chain.from_iterable(said))
    call.request = call.voice = None
    if call.ask.links or not call.ask.needs <= target.features:
        heard = await _lend(call, target, services)
        if heard is not None:
            return heard
    return await _try(call, target, number, services)


async def _lend(call: Call, target: Target, services: Services) -> Reply | None:
    """Change what is asked of a target to what it can do; return the answer if it is a transcript.

    Before the target's gate: who hears may stand behind the same one.
    """
    if call.ask.links and not call.fetched and _are_fetched_here(call.ask, target):
        call.fetched = await links.fetch(call, services)
    lacking = call.ask.needs - target.features
    if not lacking:
        return None
    request = call.ask.meaning()
    if not isinstance(request, ChatRequest):
        return None
    if Feature.AUDIO_OUTPUT in lacking:
        request = speaking.without_sound(request, call, services)
    if Feature.AUDIO_INPUT in lacking:
        if hearing.is_answered_with_transcript(request):
            return await hearing.transcript(request, call, services)
        request = await hearing.with_transcripts(request, call, services)
        call.target = target
    call.request = request
    return None


async def _try(call: Call, target: Target, number: int, services: Services) -> Reply:
    deadlines, ask = services.document.deadlines, call.ask
    try_it = Attempt(call.request_id, number, call.deadline, ask.is_stream)
    call.usage, call.written = None, Written()
    call.path = path_of(call, target)
    is_stream = ask.is_stream or ask.answer == "bytes"
    work = partial(_PATHS[call.path, is_stream], call, target, try_it, services)
    limit_s = deadlines.first_token_s if is_stream else deadlines.total_s
    return await at_target(
        call, target, work, limit_s=limit_s, waiting_s=deadlines.total_s, is_stream=is_stream
    )


def path_of(call: Call, target: Target) -> str:
    """Return the way of an answer: `forward` as it is, `events` or `media` in canonical form."""
    return "forward" if why_opened(call, target) is None else _BY_ANSWER[call.ask.answer]


def why_opened(call: Call, target: Target) -> str | None:
    """Return why the caller's document does not go through as it is; None if it does."""
    wire = call.ask.wire
    if wire is None:
        return "no target takes the caller's format as it is"
    if wire not in target.wires or target.forwarding is None:
        return f"the target does not take {wire} as it is"
    if call.request is not None:
        return "the gateway hears or speaks for the target"
    if call.is_opened:
        return "guards or stages look through the answer"
    return None


def _are_fetched_here(ask: Ask, target: Target) -> bool:
    """Say whether the target is to get pictures and not their URLs."""
    return Feature.IMAGE_EDIT in ask.needs or not target.card.fetches_links
