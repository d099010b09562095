"""What all processes of a gateway share: counters and feeds, here or on a server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

from gateway.config.document import Feeds
from gateway.config.load import Loaded
from gateway.config.problems import Finding
from gateway.sdk.providers import Clock
from gateway.state.cache import Cache
from gateway.state.condition import Condition
from gateway.state.counters import Counters
from gateway.state.errors import StateError
from gateway.state.feed import Feed
from gateway.state.memory_cache import MemoryCache
from gateway.state.memory_feed import MemoryFeed
from gateway.state.notices import Notices

_EXTRA = "dynagate[valkey]"


class Shared(Protocol):
    """What the running gateway shares with others, if there are any."""

    @property
    def counters(self) -> Counters:
        """Who has called how often."""

    @property
    def condition(self) -> Condition:
        """Whether it can be reached."""

    def feed(self, name: str) -> Feed:
        """Return a new end of the feed of that name."""

    def cache(self, name: str, *, size_bytes: int) -> Cache:
        """Return the cache of that name, which holds so much at most."""

    def notices(self, name: str) -> Notices | None:
        """Return an end of the notices of that name; None where there is no other process."""

    async def keep(self) -> None:
        """Stay in touch with the server, until all is closed."""


class Unshared:
    """For a gateway of one process."""

    def __init__(self, counters: Counters, clock: Clock, feeds: Feeds) -> None:
        self.counters = counters
        self.condition = Condition()
        self._clock = clock
        self._feeds = feeds

    def feed(self, name: str) -> Feed:
        """See `Shared.feed`."""
        return memory_feed(self._clock, self._feeds)

    def cache(self, name: str, *, size_bytes: int) -> Cache:
        """See `Shared.cache`."""
        return MemoryCache(self._clock, size_bytes=size_bytes)

    def notices(self, name: str) -> Notices | None:
        """See `Shared.notices`."""
        return None

    async def keep(self) -> None:
        """See `Shared.keep`: there is nothing to do."""


@asynccontextmanager
async def open_shared(loaded: Loaded, clock: Clock, own: Counters) -> AsyncGenerator[Shared]:
    """Open what `state.valkey` names; without it `own` counts. Raises `ConfigError`.

    A server that cannot be reached yet is none: `state.on_state_down` holds until it can.
    """
    document = loaded.document
    if document.state.valkey is None:
        yield Unshared(own, clock, document.feeds)
        return
    try:
        # The client library costs a quarter of a second, which only those pay who share.
        from gateway.state.valkey.sharing import open_valkey  # noqa: PLC0415
    except ImportError:
        message = f"needs a client that is not installed: pip install '{_EXTRA}'"
        raise loaded.error([Finding(("state", "valkey"), message)]) from None
    try:
        valkey = await open_valkey(document, clock, own)
    except StateError as error:
        raise loaded.error([Finding(("state", "valkey"), str(error))]) from None
    try:
        yield valkey
    finally:
        await valkey.aclose()


def memory_feed(clock: Clock, feeds: Feeds) -> MemoryFeed:
    """Return a feed for the readers of this process."""
    history = feeds.history
    return MemoryFeed(clock, events=history.events, size_bytes=history.bytes, queue=feeds.queue)
