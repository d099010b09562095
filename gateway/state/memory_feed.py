"""A feed of one process: a bounded history, and a bounded queue for each reader."""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import islice
from typing import NamedTuple

from gateway.schema.sse import event_frame
from gateway.sdk.providers import Clock
from gateway.state.feed import OnEnd

Place = tuple[int, int]
"""Where an event stands among all of its feed."""
_NUMBER_DIGITS = 12


class MemoryFeed:
    """Keeps the last `events`, as long as they have `size_bytes` together.

    Ids sort in the order of publication, and begin with when this feed began and what no other
    process can have drawn: an id of an earlier process is none of ours. A feed that relays what
    came by elsewhere gives `place_of`, which returns the place of an id, None if it has none.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        events: int,
        size_bytes: int,
        queue: int,
        place_of: Callable[[str], Place | None] | None = None,
    ) -> None:
        self._events = events
        self._most_bytes = size_bytes
        self._queue = queue
        began_ms = int(clock.now().timestamp() * 1000)
        self._prefix = f"{began_ms:012x}-{secrets.token_hex(4)}-"
        self._published = 0
        self._place_of = place_of or self._own_place
        self._history: deque[_Kept] = deque()
        self._kept_bytes = 0
        self._readers: set[MemorySubscription] = set()
        self._closed: str | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether there is a reader, or a history."""
        return self._closed is None and (self._events > 0 or bool(self._readers))

    def publish(self, data: bytes) -> None:
        """Make the frame, keep it, and queue it for each reader."""
        self._published += 1
        self.relay(f"{self._prefix}{self._published:0{_NUMBER_DIGITS}d}", data)

    def relay(self, event_id: str, data: bytes) -> None:
        """Publish an event under an id of `place_of`; each comes behind all before it."""
        frame = self.recall(event_id, data)
        for reader in list(self._readers):
            if not reader.put(frame):
                self._readers.discard(reader)
                reader.end(f"{self._queue} events were waiting")

    def recall(self, event_id: str, data: bytes) -> bytes:
        """Keep an event for who asks for the past, and return its frame."""
        frame = event_frame(data, id=event_id)
        self._history.append(_Kept(self._place_of(event_id) or (0, 0), frame))
        self._kept_bytes += len(frame)
        while len(self._history) > self._events or self._kept_bytes > self._most_bytes:
            self._kept_bytes -= len(self._history.popleft().frame)
        return frame

    @asynccontextmanager
    async def subscribe(
        self, on_end: OnEnd, *, after: str | None = None, last: int = 0
    ) -> AsyncGenerator["MemorySubscription"]:
        """Queue what is asked of the history, then what is published; no event falls between."""
        reader = MemorySubscription(self._past(after, last), self._queue, on_end)
        if self._closed is not None:
            reader.end(self._closed)
        else:
            self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)
            reader.clear()

    async def keep(self) -> None:
        """See `Feed.keep`."""

    def close(self, reason: str) -> None:
        """End all readers."""
        self._closed = reason
        readers, self._readers = self._readers, set()
        for reader in readers:
            reader.end(reason)

    def _past(self, after: str | None, last: int) -> list[bytes]:
        if after is None:
            count = len(self._history)
            return [kept.frame for kept in islice(self._history, max(0, count - last), count)]
        place = self._place_of(after)
        return [kept.frame for kept in self._history if place is not None and kept.place > place]

    def _own_place(self, event_id: str) -> Place | None:
        digits = event_id.removeprefix(self._prefix)
        is_ours = len(digits) == _NUMBER_DIGITS and len(event_id) == len(self._prefix + digits)
        return (0, int(digits)) if is_ours and digits.isascii() and digits.isdigit() else None


class MemorySubscription:
    """The queue of one reader: what of the history it asked for, then at most `queue` frames."""

    __slots__ = ("_live", "_on_end", "_past", "_queue", "_waiter")

    def __init__(self, past: Iterable[bytes], queue: int, on_end: OnEnd) -> None:
        self._past = deque(past)
        self._queue = queue
        self._on_end = on_end
        self._live: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, frame: bytes) -> bool:
        """Queue a frame; say whether there was room."""
        if len(self._live) >= self._queue:
            return False
        self._live.append(frame)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        return True

    def offer(self, frame: bytes) -> None:
        """Queue a frame if nothing waits."""
        if not self._past and not self._live:
            self.put(frame)

    def end(self, reason: str) -> None:
        """Free the queue and tell the reader."""
        self.clear()
        self._on_end(reason)

    def clear(self) -> None:
        """Let go of what waits."""
        self._past.clear()
        self._live.clear()

    async def next(self) -> bytes:
        """Return the oldest frame, waiting for one."""
        while not self._past and not self._live:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return (self._past or self._live).popleft()


class _Kept(NamedTuple):
    place: Place
    frame: bytes
