"""Who works with one loaded configuration: while anybody does, its providers stay connected."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Users:
    """Counts them, or others who are at work.

    Whatever goes on after its request has ended holds a place of its own.
    """

    __slots__ = ("_is_free", "count")

    def __init__(self) -> None:
        self.count = 0
        self._is_free: asyncio.Event | None = None

    def enter(self) -> None:
        """Count one in; `leave` must follow."""
        self.count += 1

    def leave(self) -> None:
        """Count one out. Never waits."""
        self.count -= 1
        if self.count == 0 and self._is_free is not None:
            self._is_free.set()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Count one in as long as the block lasts."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    async def gone(self) -> None:
        """Wait until there are none."""
        while self.count:
            self._is_free = asyncio.Event()
            await self._is_free.wait()
