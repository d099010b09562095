"""The live feeds of one gateway: who reads, what is published, and the pings of all readers."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Literal

from gateway.background import Background
from gateway.config.document import Feeds as Configured
from gateway.dialects.dynaspark_feed import event_line
from gateway.pipeline.call import Services
from gateway.pipeline.identify import bucket_of
from gateway.schema.ask import Ask
from gateway.schema.failure import CallError
from gateway.schema.images import Picture
from gateway.schema.json import JsonObject
from gateway.state.feed import Feed, Subscription
from gateway.state.shared import Shared
from gateway.telemetry.metrics import Metrics
from gateway.web.album import Album
from gateway.web.stream import PING, PING_S

FeedName = Literal["text", "image"]
STOPPING = "the gateway is stopping"

_log = logging.getLogger("dynagate.feeds")
_FULL_S = 30
_MOST_STORED_AT_ONCE = 8
"""Pictures on their way to the disk; while it is slower than that, pictures are not published."""


class Feeds:
    """Both feeds. `start` runs a coroutine beyond the request that it belongs to."""

    def __init__(
        self,
        feeds: dict[FeedName, Feed],
        configured: Configured,
        *,
        album: Album,
        metrics: Metrics,
        start: Callable[[Coroutine[None, None, None]], object],
        ping_s: float = PING_S,
    ) -> None:
        self.configured = configured
        self.is_closed = False
        self.ping_s = ping_s
        self._feeds = feeds
        self._album = album
        self._metrics = metrics
        self._start = start
        self._pinged: set[Subscription] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._storing = 0
        self._readers: Counter[str] = Counter()
        """By what callers of their address are counted under; only those that are here."""

    def of(self, name: FeedName) -> Feed:
        """Return the feed of that name."""
        return self._feeds[name]

    def publish_text(self, event: JsonObject) -> None:
        """Publish the event of a text. Never waits."""
        feed = self._feeds["text"]
        if feed.is_wanted:
            feed.publish(event_line(event))

    def publish_picture(self, picture: Picture, event_at: Callable[[str], JsonObject]) -> None:
        """Store a picture, then publish its event. Never waits.

        `event_at` returns the event when it is told the path and query that open the picture, and
        do nothing else.
        """
        if self._feeds["image"].is_wanted and self._storing < _MOST_STORED_AT_ONCE:
            self._start(self._publish_stored(picture, event_at))
            self._storing += 1  # What was started has not run yet.

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Hold one of the places for readers as long as the block lasts.

        Raises 503 `unavailable` when there is none, or soon no feed, and 429
        `concurrency_limit_exceeded` when readers of `address` have all that one address may have.
        """
        if self.is_closed:
            raise CallError("unavailable", STOPPING, retry_after_s=_FULL_S)
        bucket = bucket_of(address)
        most = self.configured.readers_per_address
        if self._readers[bucket] >= most:
            message = f"your address reads the feeds {most} times already; end one of them"
            raise CallError("concurrency_limit_exceeded", message, retry_after_s=_FULL_S)
        if self._readers.total() >= self.configured.readers:
            message = "as many read the feeds as may; try again later"
            raise CallError("unavailable", message, retry_after_s=_FULL_S)
        self._readers[bucket] += 1
        self._metrics.feed_readers = self._readers.total()
        try:
            yield
        finally:
            self._readers -= Counter({bucket: 1})  # Forgets an address without readers.
            self._metrics.feed_readers = self._readers.total()

    @contextmanager
    def pinged(self, subscription: Subscription) -> Iterator[None]:
        """Ping a reader as long as the block lasts."""
        self._pinged.add(subscription)
        if self._timer is None:
            self._schedule()
        try:
            yield
        finally:
            self._pinged.discard(subscription)

    def dropped(self, name: FeedName, reason: str) -> None:
        """Note a reader that was ended against its will, unless all were."""
        if not self.is_closed:
            self._metrics.dropped_feed_readers += 1
            _log.info("a reader of the %s feed was dropped: %s", name, reason)

    def close(self) -> None:
        """End all readers, and take none any more."""
        self.is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for feed in self._feeds.values():
            feed.close(STOPPING)

    async def _publish_stored(
        self, picture: Picture, event_at: Callable[[str], JsonObject]
    ) -> None:
        try:
            path = await self._album.sign(picture)
            self._feeds["image"].publish(event_line(event_at(path)))
        except CallError:
            return  # It could not be stored, and the album has said so.
        finally:
            self._storing -= 1

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.ping_s, self._ping)

    def _ping(self) -> None:
        self._timer = None
        if self._pinged:
            for subscription in self._pinged:
                subscription.offer(PING)
            self._schedule()


def open_feeds(shared: Shared, services: Services, album: Album, background: Background) -> Feeds:
    """Return the feeds of this process, and of all that share with it."""
    names: tuple[FeedName, ...] = ("text", "image")
    feeds = {name: shared.feed(name) for name in names}
    for name, feed in feeds.items():
        background.start(f"{name} feed", feed.keep())
    return Feeds(
        feeds,
        services.document.feeds,
        album=album,
        metrics=services.metrics,
        start=lambda work: background.start("feed", work),
    )


def may_appear(ask: Ask, feeds: Feeds | None) -> bool:
    """Say whether a feed may tell of `ask`: DynaSpark's paths, not private, from words alone."""
    return feeds is not None and ask.is_feed_worthy and not ask.is_private and not ask.links
