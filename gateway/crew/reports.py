"""How the workers are, and what they counted: asked by the host, told by each."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.crew.link import Link, LinkError, connect
from gateway.crew.post import Post
from gateway.crew.words import Explain, Report, State
from gateway.schema.failure import CallError
from gateway.schema.json import JsonObject
from gateway.telemetry.merge import Exposition, merged, parsed
from gateway.telemetry.metrics import Metrics
from gateway.web.explaining import Wish, explained
from gateway.web.health import status_of
from gateway.web.serving import Serving

_ANSWER_S = 1.0
"""How long one worker may take; all are asked at once."""


class Told:
    """What a worker tells; `serve` is for one link."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def serve(self, link: Link) -> None:
        """Answer each `Report` and `Explain` until the host closes the link."""
        serving = self._serving
        while isinstance(asked := await link.receive(), Report | Explain):
            if isinstance(asked, Explain):
                await link.send(await explained(asked.wish, serving))
                continue
            metrics = serving.services.metrics.text()
            targets = tuple(one.told() for one in serving.services.health)
            unready = dict(serving.unready)
            state = State(os.getpid(), status_of(serving), unready, metrics, targets)
            await link.send(state)


class Workers:
    """The workers as the host sees them, and the metrics of all processes.

    What a worker had counted when it was last asked still counts after its end, so that sums never
    fall while the gateway runs.
    """

    def __init__(self, post: Post, own: Metrics) -> None:
        self._sockets = post.worker_sockets
        self._own = own
        self._last: dict[int, Exposition] = {}
        self._pids: dict[int, int] = {}
        self._ended = Exposition()

    async def scrape(self) -> bytes:
        """Return the metrics of all processes; those of one that does not answer are older."""
        states = await self._states()
        for number, state in states.items():
            if state is None:
                continue
            if self._pids.get(number) not in (None, state.pid):
                self._ended = merged([self._ended, self._last[number].without_gauges()])
            self._pids[number] = state.pid
            self._last[number] = parsed(state.metrics)
        told = [
            last if states[number] is not None else last.without_gauges()
            for number, last in self._last.items()
        ]
        # Its own come first: they have every family, be it empty.
        return merged([parsed(self._own.text()), self._ended, *told]).text()

    async def readiness(self) -> tuple[bool, dict[str, object]]:
        """Return whether all workers take calls, and how each is."""
        states = await self._states()
        told = {str(number): _in_words(state) for number, state in states.items()}
        is_ready = all(word == "ok" for word in told.values())
        unready = next((dict(state.unready) for state in states.values() if state is not None), {})
        words = [word for word in told.values() if word != "ok"]
        status = words[0] if words else "ok"
        return is_ready, {"status": status, "workers": told, "providers": unready}

    async def targets(self) -> list[JsonObject]:
        """Return how each worker finds the targets; each has seen its own calls alone."""
        states = await self._states()
        return [
            {"worker": number, **one}
            for number, state in states.items()
            if state is not None
            for one in state.targets
        ]

    async def explain(self, wish: Wish) -> JsonObject:
        """Return what the first worker that answers would do; each knows its own calls alone."""
        for socket in self._sockets.values():
            told = await _asked(socket, Explain(wish))
            if told is not None:
                return dict(told)
        raise CallError("unavailable", "no worker answers now", retry_after_s=1)

    async def _states(self) -> Mapping[int, State | None]:
        async with asyncio.TaskGroup() as group:
            asked = {
                number: group.create_task(_state(socket))
                for number, socket in self._sockets.items()
            }
        return {number: task.result() for number, task in asked.items()}


async def _state(socket: Path) -> State | None:
    """Return how the worker at `socket` is, None if it does not say in time."""
    state: State | None = await _asked(socket, Report())
    return state


async def _asked(socket: Path, word: Report | Explain) -> Any:  # Any: by the word.
    """Return what the worker at `socket` answers, None if it does not in time."""
    link: Link | None = None
    try:
        async with asyncio.timeout(_ANSWER_S):
            link = await connect(socket)
            await link.send(word)
            return await link.receive()
    except (LinkError, TimeoutError):
        return None
    finally:
        if link is not None:
            link.close()


def _in_words(state: State | None) -> str:
    if state is None:
        return "not there"
    return state.status
