"""Stages that plugins bring, around one attempt at a target that yields events."""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import NamedTuple, TypeVar

from gateway.pipeline.call import Call
from gateway.pipeline.limits.lengths import WRITES
from gateway.schema.events import StreamEvent
from gateway.schema.failure import CallError
from gateway.sdk.errors import UpstreamError
from gateway.sdk.stages import Stage, StageKind, TextRequest

_log = logging.getLogger("dynagate.pipeline")
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class _Begun(NamedTuple):
    name: str
    stage: Stage


def place(call: Call, kinds: Sequence[StageKind]) -> None:
    """Have the call go through stages, if words are asked for."""
    if not call.ask.needs.isdisjoint(WRITES):
        call.stages = kinds
        call.is_opened = True


def begun(request: TextRequest, kinds: Sequence[StageKind]) -> tuple[TextRequest, list[_Begun]]:
    """Return what the target is asked after all stages, and those for its answer."""
    stages = []
    for kind in kinds:
        stage = _done(kind.name, lambda begin: begin(), kind.begin)
        request = _done(kind.name, stage.on_request, request)
        stages.append(_Begun(kind.name, stage))
    return request, stages


async def staged(
    events: AsyncGenerator[StreamEvent], stages: Sequence[_Begun]
) -> AsyncGenerator[StreamEvent]:
    """Yield what the stages make of `events`.

    The first of a model is nearest to its callers: it sees the request first and the answer last.
    """
    inward = list(reversed(stages))
    async with aclosing(events):
        async for event in events:
            for one in _through([event], inward):
                yield one
    for number, (name, stage) in enumerate(inward):
        rest = _done(name, lambda ended: list(ended.on_end()), stage)
        for one in _through(rest, inward[number + 1 :]):
            yield one


def _through(events: Iterable[StreamEvent], stages: Sequence[_Begun]) -> Iterable[StreamEvent]:
    for name, stage in stages:
        made = partial(_made_of, stage)
        events = [one for event in events for one in _done(name, made, event)]
    return events


def _made_of(stage: Stage, event: StreamEvent) -> list[StreamEvent]:
    return list(stage.on_event(event))


def _done(name: str, work: Callable[[_Given], _Made], given: _Given) -> _Made:
    """Do a stage's work; a bug of its is no target's failure, and nothing is asked in its stead."""
    try:
        return work(given)
    except (CallError, UpstreamError):
        raise
    except Exception:  # noqa: BLE001 - the edge to code of strangers.
        _log.exception("stage %s failed", name)
        message = "something went wrong here; it has been logged"
        raise CallError("internal_error", message) from None
