"""The ledger of a gateway that keeps nothing: its newest entries, until the process ends."""

from collections import OrderedDict
from collections.abc import Awaitable, Generator

from gateway.state.ledger import Entry, Standing

NEWEST = 2_000
"""Entries of half a kilobyte. With 10,000, too many for any cache, a call costs 5 % more."""


class MemoryLedger:
    """Holds the `newest` entries. Always open."""

    is_open = True

    def __init__(self, newest: int = NEWEST) -> None:
        self._newest = newest
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._rows = 0

    @property
    def entries(self) -> list[Entry]:
        """What is held, the oldest first."""
        return list(self._entries.values())

    @property
    def standing(self) -> Standing:
        """See `WatchedLedger.standing`."""
        return Standing(self._rows)

    def record(self, entry: Entry) -> Awaitable[None]:
        """See `Ledger.record`."""
        if self._entries.setdefault(entry.request_id, entry) is entry:
            self._rows += 1
            if len(self._entries) > self._newest:
                self._entries.popitem(last=False)
        return _SAFE


class _Safe:
    """What need not be waited for."""

    def __await__(self) -> Generator[None]:
        yield from ()


_SAFE = _Safe()
