"""One stream for several readers, each from its beginning."""

import asyncio
from collections import deque
from typing import Any, NamedTuple, Self

from gateway.schema.failure import CallError, again


class Tee:
    """Hands what one maker puts in to all readers, within `most_bytes`.

    Until more than that has come, all of it is held, and who joins reads from the beginning. From
    then on only what some reader has still to read is held: the maker waits for the quickest of
    them, and one that falls further behind is cut off. Without readers nothing is held back.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._items: deque[_Held] = deque()
        self._first = 0
        """The number of the first item that is held."""
        self._total = self._dropped = 0
        """Bytes that were put in, and those of them that are not held any more."""
        self._readers: set[Reader] = set()
        self._has_read: asyncio.Future[None] | None = None
        self._is_over = False
        self._error: CallError | None = None

    @property
    def is_whole(self) -> bool:
        """Whether everything is still held."""
        return self._total <= self._most

    def reader(self) -> "Reader":
        """Return a reader of all that is held, which stays until it leaves."""
        reader = Reader(self, self._first, self._dropped)
        self._readers.add(reader)
        return reader

    async def put(self, item: Any, size: int) -> None:  # Any: what readers are to get.
        """Hand `item` over; `size` is what it counts in bytes."""
        self._total += size
        self._items.append(_Held(item, self._total))
        self._wake()
        self._make_room()
        while self._is_ahead():
            self._has_read = asyncio.get_running_loop().create_future()
            await self._has_read
            self._make_room()

    def end(self, error: CallError | None = None) -> None:
        """Say that nothing more comes, to readers that have read all; once."""
        if not self._is_over:
            self._is_over, self._error = True, error
            self._wake()

    def _quickest(self) -> int:
        return max(reader.read_bytes for reader in self._readers)

    def _is_ahead(self) -> bool:
        """Say whether even the quickest reader has much to read, and memory is short."""
        if self.is_whole or not self._readers:
            return False
        return self._total - self._quickest() > self._most // 2

    def _make_room(self) -> None:
        if self.is_whole:
            return
        if self._readers:
            quickest = self._quickest()
            for reader in self._readers:
                if self._total - reader.read_bytes > self._most and reader.read_bytes < quickest:
                    reader.is_cut = True
                    reader.wake()
            self._readers = {reader for reader in self._readers if not reader.is_cut}
        needed = min((reader.number for reader in self._readers), default=None)
        while self._items and (needed is None or self._first < needed):
            self._dropped = self._items.popleft().end
            self._first += 1

    def _wake(self) -> None:
        for reader in self._readers:
            reader.wake()

    # What readers use.

    def item(self, number: int) -> "_Held | None":
        """Return the item of that number, None if it has not come yet.

        Raises `StopAsyncIteration` after the last one, or the error with which it ended.
        """
        place = number - self._first
        if place < len(self._items):
            return self._items[place]
        if not self._is_over:
            return None
        if self._error is not None:
            raise again(self._error)
        raise StopAsyncIteration

    def has_read(self) -> None:
        """Let the maker look whether there is room."""
        if self._has_read is not None and not self._has_read.done():
            self._has_read.set_result(None)

    def left(self, reader: "Reader") -> None:
        """Count on `reader` no more."""
        self._readers.discard(reader)
        self.has_read()


class _Held(NamedTuple):
    item: Any  # Any: see `Tee.put`.
    end: int
    """Bytes that were put in up to its end."""


class Reader:
    """One reader's place in a `Tee`; an iterator, and nothing that would have to be closed."""

    __slots__ = ("_tee", "_waiter", "is_cut", "number", "read_bytes")

    def __init__(self, tee: Tee, number: int, read_bytes: int) -> None:
        self._tee = tee
        self._waiter: asyncio.Future[None] | None = None
        self.number = number
        self.read_bytes = read_bytes
        self.is_cut = False

    def __aiter__(self) -> Self:
        """Return itself: it goes on where it stands."""
        return self

    async def __anext__(self) -> Any:  # Any: see `Tee.put`.
        """Return the next item. Raises `CallError`: the maker's, or that this reader is slow."""
        while True:
            if self.is_cut:
                message = "you read more slowly than others who share this answer, and were cut off"
                raise CallError("unavailable", message)
            held = self._tee.item(self.number)
            if held is not None:
                self.number += 1
                self.read_bytes = held.end
                self._tee.has_read()
                return held.item
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def wake(self) -> None:
        """Let it look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def leave(self) -> None:
        """Read no more; may be called again."""
        self._tee.left(self)
