"""Hands what one task pulls over to another that writes it.

A provider's generator must be driven from its first step to its close by the same task. Where the
task that asked is not the one that answers the caller, this stands between the two.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from gateway.pipeline.call import Held
from gateway.schema.reply import Answer, Events, Frames, Made, Reply, Stream, Whole

_AHEAD = 2
"""Items that wait for a slow reader; then the upstream waits, too."""


class _End:
    """The last item, with what went wrong."""

    __slots__ = ("error",)

    def __init__(self, error: Exception | None) -> None:
        self.error = error


class Pump:
    """Pours a streamed reply from the task that owns it to the one that reads `reply`.

    `cancel` ends the task that calls `pour`; `on_end` is called each time the reader may have been
    given the last.
    """

    def __init__(
        self, reply: Reply, held: Held, cancel: Callable[[], None], on_end: Callable[[], None]
    ) -> None:
        self._source, self.reply = self._redirected(reply)
        self._held = held
        self._cancel = cancel
        self._on_end = on_end
        # Any: frames, events or bytes, as they come.
        self._items: asyncio.Queue[Any] = asyncio.Queue(_AHEAD)
        self._ended = asyncio.Event()

    @property
    def held(self) -> Held:
        """What the reader's call holds: closing it ends the pump, and what it pours from."""
        return Held(self._aclose, self._held.visit)

    async def pour(self) -> None:
        """Hand over all there is; whatever happens the source is closed then."""
        error: Exception | None = None
        try:
            try:
                async with aclosing(self._source) as source:
                    async for item in source:
                        await self._items.put(item)
            finally:
                # The place as well: a caller that leaves at this moment may not know of it yet.
                await self._held.release()
        except Exception as failed:  # noqa: BLE001 - it is raised where it is read.
            error = failed
        finally:
            self._ended.set()
        await self._items.put(_End(error))

    async def _read(self) -> AsyncGenerator[Any]:  # Any: as above.
        try:
            while not isinstance(item := await self._items.get(), _End):
                yield item
            if item.error is not None:
                raise item.error
        finally:
            self._on_end()

    async def _aclose(self) -> None:
        self._cancel()
        await self._ended.wait()
        self._on_end()

    def _redirected(self, reply: Reply) -> tuple[AsyncGenerator[Any], Reply]:  # Any: as above.
        match reply:
            case Frames():
                return reply.frames, replace(reply, frames=self._read())
            case Events():
                return reply.events, replace(reply, events=self._read())
            case Stream():
                return reply.chunks, replace(reply, chunks=self._read())
            case Whole() | Answer() | Made():
                msg = f"{type(reply).__name__} is there at once: nothing is poured"
                raise TypeError(msg)
