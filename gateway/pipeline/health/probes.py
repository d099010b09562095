"""Looks at targets that cost nobody anything, by providers that can: see `HealthProbe`."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from math import inf

from gateway.pipeline.health.book import HealthBook
from gateway.pipeline.health.breaker import Condition, TargetHealth
from gateway.schema.failure import Failure
from gateway.sdk.errors import UpstreamError
from gateway.sdk.providers import Background

_log = logging.getLogger("dynagate.health")
_TICK_S = 0.25
_LOOK_S = 5.0
"""How long one look may take."""
_AT_ONCE = 8
"""Looks under way; callers choose the names of a family's targets."""


class Probes:
    """Looks at open targets before their rest is over, at closed ones each `health.probe_s`."""

    def __init__(self, book: HealthBook, background: Background) -> None:
        self._book = book
        self._background = background
        self._under_way: set[str] = set()
        self._next: dict[str, float] = {}

    async def run(self) -> None:
        """Look until cancelled; while nothing is open, and nothing else to be done, sleep."""
        while True:
            for health in list(self._book):
                if health.probe is not None and self._is_due(health):
                    self._start(health, health.probe)
            if self._book.settings.probe_s is None and not self._has_open():
                self._book.has_opened.clear()
                await self._book.has_opened.wait()
            else:
                await asyncio.sleep(_TICK_S)

    def _has_open(self) -> bool:
        return any(one.condition is not Condition.CLOSED for one in self._book)

    def _is_due(self, health: TargetHealth) -> bool:
        is_busy = health.name in self._under_way or len(self._under_way) >= _AT_ONCE
        if is_busy or not self._book.settings.probes:
            return False
        if health.wants_look:
            return True
        interval_s = self._book.settings.probe_s
        is_configured = health.name == health.family
        if interval_s is None or not is_configured or health.condition is not Condition.CLOSED:
            return False
        now = self._book.clock.monotonic()
        is_due = self._next.get(health.name, -inf) <= now
        if is_due:
            self._next[health.name] = now + interval_s
        return is_due

    def _start(self, health: TargetHealth, probe: Callable[[], Awaitable[None]]) -> None:
        self._under_way.add(health.name)
        epoch = health.look()
        try:
            self._background.start("probe", self._look(health, probe, epoch))
        except RuntimeError:  # The process is at its limit: a call looks.
            self._under_way.discard(health.name)
            health.looked(epoch, None)

    async def _look(
        self, health: TargetHealth, probe: Callable[[], Awaitable[None]], epoch: int
    ) -> None:
        failure: Failure | None = None
        retry_after_s: float | None = None
        try:
            async with asyncio.timeout(_LOOK_S):
                await probe()
        except TimeoutError:
            failure = Failure.TIMEOUT
        except UpstreamError as failed:
            failure, retry_after_s = failed.failure, failed.retry_after
        except Exception:  # noqa: BLE001 - a provider's bug is that look's failure, not ours.
            _log.exception("the probe of %s raised something other than UpstreamError", health.name)
            failure = Failure.UNKNOWN
        finally:
            self._under_way.discard(health.name)
            health.looked(epoch, failure, retry_after_s)
