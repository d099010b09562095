"""The step before anything is made: an answer that is kept, or is being made, serves again."""

from collections.abc import Awaitable, Callable

from gateway.background import Background
from gateway.config.caching import Cache as CacheSettings
from gateway.config.caching import ModelCache
from gateway.pipeline.caching.coalesce import Generations
from gateway.pipeline.caching.fingerprint import fingerprint
from gateway.pipeline.caching.freshness import Freshness, freshness_of
from gateway.pipeline.caching.keep import Keeping, kept
from gateway.pipeline.caching.kept import UNREADABLE, replayed, unpacked
from gateway.pipeline.call import Call, Recall, Services
from gateway.pipeline.ending import settled
from gateway.pipeline.routing.route import Route
from gateway.schema.reply import Frames, Reply
from gateway.sdk.providers import Clock
from gateway.state.cache import Cache

Make = Callable[[Call, Route, Services], Awaitable[Reply]]
"""The rest of the steps."""


class Memory:
    """What is remembered of answers: those that are kept, and those on their way here."""

    def __init__(
        self, cache: Cache, settings: CacheSettings, clock: Clock, background: Background
    ) -> None:
        self._cache = cache
        self._settings = settings
        self._clock = clock
        self.generations = Generations(background, most_bytes=settings.answer_bytes)

    def keeping(self, name: str, model: ModelCache) -> Keeping:
        """Return where an answer is kept."""
        most_bytes = self._settings.answer_bytes
        return Keeping(self._cache, self._clock, name, model.ttl_s, most_bytes)

    async def find(self, name: str, wanted: Freshness, call: Call) -> Reply | None:
        """Return the answer of that name, if one is kept that is fresh enough for the caller."""
        data = await self._cache.get(name)
        if data is None:
            return None
        try:
            return self._read(data, wanted, call)
        except UNREADABLE:
            return None

    def _read(self, data: bytes, wanted: Freshness, call: Call) -> Reply | None:
        found = unpacked(data)
        if found is None:
            return None
        age_s = max(0.0, self._clock.now().timestamp() - found.at)
        if age_s > wanted.most_age_s or found.keep_s - age_s < wanted.least_left_s:
            return None
        reply = replayed(found, call.ask)
        if reply is not None:
            call.path = "cache"
            call.recall = Recall("HIT", int(age_s), found.provider)
            call.dropped_params = call.dropped_fields = found.dropped
        return reply


async def recalled(call: Call, route: Route, services: Services, make: Make) -> Reply:
    """Return what is kept, or shared with another call, else what `make` makes.

    `call.recall` says which. The request's own `Cache-Control` counts.
    """
    settings, memory = route.cache, services.memory
    name = None if settings is None else fingerprint(call, route)
    wanted = freshness_of(call.headers)
    if settings is None or name is None or not wanted.may_store:
        call.recall = Recall("BYPASS")
        return await make(call, route, services)
    if settings.ttl_s and wanted.may_read:
        found = await memory.find(name, wanted, call)
        if found is not None:
            if isinstance(found, Frames):
                return Frames(settled(found.frames, call, services))
            return found
    call.recall = Recall("MISS" if wanted.may_read else "BYPASS")
    keeping = memory.keeping(name, settings) if settings.ttl_s else None

    async def make_and_keep() -> Reply:
        reply = await make(call, route, services)
        return reply if keeping is None else kept(reply, call, keeping)

    # A hurried caller's deadline is its own, and who wants a new answer gets one.
    if settings.coalesce and wanted.may_read and not call.is_hurried:
        return await memory.generations.reply(name, call, services, make_and_keep)
    return await make_and_keep()
