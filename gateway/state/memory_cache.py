"""A cache in the memory of this process."""

from collections import OrderedDict
from typing import Final, NamedTuple

from gateway.sdk.providers import Clock

OVERHEAD_BYTES: Final = 512
"""What an entry takes besides its bytes; many small ones count, too."""


class _Kept(NamedTuple):
    data: bytes
    ends: float


class MemoryCache:
    """See `Cache`: at most `size_bytes`, what was not used for longest goes first."""

    def __init__(self, clock: Clock, *, size_bytes: int) -> None:
        self._clock = clock
        self._most = size_bytes
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self.size_bytes = 0

    async def get(self, name: str) -> bytes | None:
        """See `Cache.get`."""
        return self._get(name)

    def put(self, name: str, data: bytes, keep_s: float) -> None:
        """See `Cache.put`."""
        self.drop(name)
        size = len(data) + OVERHEAD_BYTES
        if size > self._most:
            return
        self._kept[name] = _Kept(data, self._clock.monotonic() + keep_s)
        self.size_bytes += size
        while self.size_bytes > self._most:
            self.drop(next(iter(self._kept)))

    async def claim(self, name: str, mark: bytes, keep_s: float) -> bytes | None:
        """See `Cache.claim`."""
        found = self._get(name)
        if found is None:
            self.put(name, mark, keep_s)
        return found

    def drop(self, name: str) -> None:
        """See `Cache.drop`."""
        kept = self._kept.pop(name, None)
        if kept is not None:
            self.size_bytes -= len(kept.data) + OVERHEAD_BYTES

    def _get(self, name: str) -> bytes | None:
        kept = self._kept.get(name)
        if kept is None:
            return None
        if kept.ends <= self._clock.monotonic():
            self.drop(name)
            return None
        self._kept.move_to_end(name)
        return kept.data
