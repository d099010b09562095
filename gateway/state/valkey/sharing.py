"""Opens what a server keeps for all processes of a gateway, and stays in touch with it."""

import asyncio

from gateway.config.document import Document
from gateway.sdk.providers import Clock
from gateway.state.cache import Cache
from gateway.state.condition import Condition
from gateway.state.counters import Counters
from gateway.state.errors import StateError
from gateway.state.memory_cache import MemoryCache
from gateway.state.memory_feed import MemoryFeed
from gateway.state.valkey.cache import ValkeyCache
from gateway.state.valkey.commands import ANSWER_S, Commands
from gateway.state.valkey.counters import LEASE_S, ValkeyCounters
from gateway.state.valkey.feed import ADD, ValkeyFeed, place_of
from gateway.state.valkey.notices import ValkeyNotices
from gateway.state.valkey.scripts import ALL, KEEP
from gateway.state.valkey.server import REFUSALS, Server, Words, explained
from gateway.state.valkey.without import WithoutServer

_MOST_EVENTS_WAITING = 1000
_MOST_ANSWERS_WAITING = 32
"""Each may have megabytes."""
_KEEPING_S = 2.0


class ValkeyShared:
    """Counters, feeds and caches on one server.

    Events and answers have connections of their own: they are larger.
    """

    def __init__(self, url: str, document: Document, clock: Clock, own: Counters) -> None:
        self._server = Server(url)
        self._document = document
        self._clock = clock
        self.condition = Condition(self._server.place)
        state = document.state
        without = WithoutServer(
            state.on_state_down,
            own,
            replicas=state.replicas,
            clock=clock,
            condition=self.condition,
        )
        self._counting = Commands(
            self._server,
            self.condition,
            "counters",
            scripts=[script.text for script in ALL],
            answer_s=ANSWER_S,
        )
        self.counters = ValkeyCounters(self._counting, without, lease_s=LEASE_S)
        self._counting.on_up = self.counters.renew
        self._publishing = Commands(
            self._server,
            self.condition,
            "feeds",
            answer_s=ANSWER_S,
            most_posted=_MOST_EVENTS_WAITING,
            on_dropped=self._dropped,
        )

        self._keeping = Commands(
            self._server,
            self.condition,
            "answers",
            scripts=[KEEP.text],
            # Answers are large; whoever asks for one waits less long by itself.
            answer_s=max(_KEEPING_S, ANSWER_S),
            most_posted=_MOST_ANSWERS_WAITING,
        )

    async def open(self) -> None:
        """Connect, if the server answers. Raises `StateError` where it refuses to be used."""
        try:
            await self._counting.open()
        except REFUSALS as error:
            message = f"{self._server.place}: {explained(error)}; write the right ones into the URL"
            raise StateError(message) from None

    def feed(self, name: str) -> ValkeyFeed:
        """See `Shared.feed`."""
        feeds = self._document.feeds
        local = MemoryFeed(
            self._clock,
            events=feeds.history.events,
            size_bytes=feeds.history.bytes,
            queue=feeds.queue,
            place_of=place_of,
        )
        return ValkeyFeed(
            name,
            self._server,
            self._publishing,
            local,
            self.condition,
            events=feeds.history.events,
        )

    def cache(self, name: str, *, size_bytes: int) -> Cache:
        """See `Shared.cache`."""
        own = MemoryCache(self._clock, size_bytes=size_bytes)
        return ValkeyCache(name, self._keeping, own, size_bytes=size_bytes, answer_s=ANSWER_S)

    def notices(self, name: str) -> ValkeyNotices:
        """See `Shared.notices`."""
        return ValkeyNotices(name, self._server, self._counting, self.condition)

    async def keep(self) -> None:
        """See `Shared.keep`."""
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self.counters.keep())
            group.create_task(self._keeping.run())
            publishing = self._document.has_feeds
            if publishing:
                group.create_task(self._publishing.run())
            await self._counting.run()
            renewing.cancel()

    async def aclose(self) -> None:
        """Give back what is held, send what waits, and close the connections."""
        self.counters.leave_all()
        await self._counting.aclose()
        await self._publishing.aclose()
        await self._keeping.aclose()

    def _dropped(self, words: Words) -> None:
        self.condition.dropped_events += words[0] == ADD


async def open_valkey(document: Document, clock: Clock, own: Counters) -> ValkeyShared:
    """Return what `state.valkey` names; `own` counts for `local_share`. Raises `StateError`."""
    secret = document.state.valkey
    if secret is None:
        msg = "state.valkey is not set"
        raise RuntimeError(msg)
    shared = ValkeyShared(secret.get_secret_value(), document, clock, own)
    await shared.open()
    return shared
