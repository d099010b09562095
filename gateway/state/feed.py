"""Live feeds: what is published reaches whoever reads now, and, for a while, who comes back."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

OnEnd = Callable[[str], None]
"""Told why a subscription ended before its reader left. Called at once, and must not wait."""


class Subscription(Protocol):
    """One reader's place in a feed: a bounded queue of frames."""

    def offer(self, frame: bytes) -> None:
        """Queue a frame for this reader alone, unless others wait there already."""

    async def next(self) -> bytes:
        """Return the next frame; never returns once the subscription has ended."""


class Feed(Protocol):
    """One feed. A frame is a whole server-sent event, made once for all readers."""

    @property
    def is_wanted(self) -> bool:
        """Whether anybody reads now, or a later reader could ask for what is published now."""

    def publish(self, data: bytes) -> None:
        """Give an event to all readers. `data` is one line. Never waits."""

    def subscribe(
        self, on_end: OnEnd, *, after: str | None = None, last: int = 0
    ) -> AbstractAsyncContextManager[Subscription]:
        """Read from now on, before that what came `after` an id, else the `last` events.

        An id that is not of this feed's history begins now. A reader whose queue is full is ended,
        and can come back with the last id that it has seen.
        """

    async def keep(self) -> None:
        """Bring what other processes publish, until cancelled; a feed of one has nothing to do."""

    def close(self, reason: str) -> None:
        """End every subscription, and each later one at once."""
