"""The connections of one client: how many there are, and which wait for another request."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

from yarl import URL

from gateway.transport.head import head_of, parse_web_url
from gateway.transport.link import Connector, Link, Origin

_KEPT_S: Final = 15.0
"""Servers that close idle connections sooner are met by `replay`."""

_CLOSE_S: Final = 1.0
_MAX_ORIGINS: Final = 64
_MAX_HEADS: Final = 64

_K = TypeVar("_K")
_V = TypeVar("_V")


class Prepared(NamedTuple):
    """What of a request is the same each time."""

    origin: Origin
    head: bytes
    headers: Mapping[str, str]


class Pool:
    """A bounded number of places, and the connections that idle between requests.

    Whoever has a connection has a place, and gives both back with `release` or `discard`.
    """

    __slots__ = (
        "_connector",
        "_heads",
        "_idle",
        "_is_kept",
        "_links",
        "_loop",
        "_origins",
        "_places",
        "_proxy",
        "_sweep_timer",
        "_waiters",
    )

    def __init__(
        self, connector: Connector, places: int, *, proxy: URL | None = None, is_kept: bool = True
    ) -> None:
        """Without `is_kept` nothing outlives a request: no connection, no head, no origin."""
        self._connector = connector
        self._loop = asyncio.get_running_loop()
        self._places = places
        self._proxy = proxy
        self._is_kept = is_kept
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._links: set[Link] = set()
        self._idle: dict[Origin, list[Link]] = {}
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._origins: dict[tuple[str, str | None, int | None], Origin] = {}
        self._heads: dict[tuple[str, str], Prepared] = {}

    def prepare(self, method: str, url: str, headers: Mapping[str, str]) -> Prepared:
        """Return what to send and where; raise ValueError for what cannot be sent."""
        prepared = self._heads.get((method, url))
        # Compared, not recognised: a mapping may have been changed since.
        if prepared is None or prepared.headers != headers:
            prepared = self._prepared(method, parse_web_url(url), headers)
            if self._is_kept:
                _put(self._heads, (method, url), prepared, _MAX_HEADS)
        return prepared

    def reuse(self, origin: Origin) -> Link | None:
        """Return an idle connection if there is one, and a place; never waits."""
        if not self._places:
            return None
        link = self._take_idle(origin)
        if link is not None:
            self._places -= 1
        return link

    async def wait_for_place(self) -> None:
        """Take a place, in the order of asking; `connect` is to follow at once."""
        if self._places:
            self._places -= 1
            return
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.cancelled():
                self._waiters.remove(waiter)
            else:
                self._leave()  # It had come when the wait was given up.
            raise

    async def connect(self, origin: Origin, *, is_new: bool) -> Link:
        """Return a connection for the place that was taken, idle or new; give it back on failure.

        With `is_new` those that idle are closed: when one is dead so are probably all.
        """
        try:
            if is_new:
                for idle in self._idle.pop(origin, ()):
                    self._drop(idle)
            elif (kept := self._take_idle(origin)) is not None:
                return kept
            if self._connector.closed:
                msg = "the pool is closed"
                raise RuntimeError(msg)  # noqa: TRY301 - the place has to be given back.
            link = await self._connector.open(origin)
        except BaseException:
            self._leave()
            raise
        self._links.add(link)
        return link

    def release(self, link: Link) -> None:
        """Take back a connection whose answer was read."""
        if self._is_kept and link.is_reusable:
            link.is_reused = True
            link.idle_since = self._loop.time()
            self._idle.setdefault(link.origin, []).append(link)
            if self._sweep_timer is None:
                self._sweep_timer = self._loop.call_later(_KEPT_S, self._sweep)
        else:
            self._drop(link)
        self._leave()

    def discard(self, link: Link) -> None:
        """Take back a connection that is of no more use."""
        link.abort()
        self._drop(link)
        self._leave()

    async def close(self) -> None:
        """Close all connections; a peer that will not let go is left to the system after 1 s."""
        self._is_kept = False
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        gone = [closed for link in self._links if (closed := link.hang_up()) is not None]
        try:
            async with asyncio.timeout(_CLOSE_S):
                # First: aiohttp's own close would leave whoever reads a body waiting.
                await asyncio.gather(*gone, return_exceptions=True)
                await self._connector.close()
        except TimeoutError:
            pass
        finally:
            for links in self._idle.values():
                for link in links:
                    self._drop(link)
            self._idle.clear()

    def _prepared(self, method: str, url: URL, headers: Mapping[str, str]) -> Prepared:
        place = (url.scheme, url.host, url.port)
        origin = self._origins.get(place)
        if origin is None:
            origin = Origin(url.origin(), self._proxy)
            if self._is_kept:
                _put(self._origins, place, origin, _MAX_ORIGINS)
        proxy = self._proxy if url.scheme == "http" else None
        head = head_of(method, url, headers, proxy=proxy, is_kept=self._is_kept)
        return Prepared(origin, head, dict(headers))

    def _take_idle(self, origin: Origin) -> Link | None:
        """Return the connection that was used last: the others may then go unused, and end."""
        idle = self._idle.get(origin)
        while idle:
            link = idle.pop()
            if link.is_usable and self._loop.time() - link.idle_since <= _KEPT_S:
                return link
            self._drop(link)
        return None

    def _sweep(self) -> None:
        """Close what has idled too long; run again while anything idles."""
        oldest = self._loop.time() - _KEPT_S
        for origin, idle in list(self._idle.items()):
            kept = [link for link in idle if link.idle_since > oldest]
            for link in set(idle).difference(kept):
                self._drop(link)
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        again = bool(self._idle)
        self._sweep_timer = self._loop.call_later(_KEPT_S, self._sweep) if again else None

    def _drop(self, link: Link) -> None:
        link.close()
        self._links.discard(link)

    def _leave(self) -> None:
        """Hand the place to whoever has waited longest for one."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._places += 1


def _put(cache: dict[_K, _V], key: _K, value: _V, size: int) -> None:
    """Put `value` in, and the oldest out when there are more than `size`."""
    cache.pop(key, None)
    cache[key] = value
    if len(cache) > size:
        del cache[next(iter(cache))]
