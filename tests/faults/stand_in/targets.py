"""Which upstreams the stand-in asks, and when it gives up."""

import time
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from aiohttp import web

from tests.faults.stand_in.errors import UpstreamFailedError
from tests.faults.stand_in.settings import Settings

_FLOOR = 10.0
_SHARE = 0.1


class Targets:
    """Asks the upstreams by turns, and lets those rest that fail."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._failed = [0] * len(settings.urls)
        self._open_until = [0.0] * len(settings.urls)
        self._budget = _FLOOR
        """Attempts at targets that failed last time, besides the first of a call."""

    async def answered(
        self, attempt: Callable[[str], Awaitable[web.StreamResponse]], urls: Sequence[str]
    ) -> web.StreamResponse:
        """Return the first answer that there is; raise what failed last."""
        defects = self._settings.defects
        last: UpstreamFailedError | None = None
        self._budget += _SHARE
        rounds = 4 if "retries_always" in defects else 1
        for number, url in list(enumerate(urls)) * rounds:
            now = time.monotonic()
            if self._open_until[number] > now and "no_breaker" not in defects:
                continue
            if last is not None and self._failed[number] and rounds == 1:
                if self._budget < 1:
                    break
                self._budget -= 1
            try:
                answer = await attempt(url)
            except (aiohttp.ClientError, TimeoutError, UpstreamFailedError) as error:
                last = self._failure(number, error, now)
                if "no_failover" in defects:
                    break
            else:
                self._failed[number] = 0
                return answer
        raise last or UpstreamFailedError("all are open", 503, "1")

    def _failure(self, number: int, error: Exception, now: float) -> UpstreamFailedError:
        """Note that a target failed; return what its caller is told."""
        self._failed[number] += 1
        if self._failed[number] >= self._settings.failures:
            self._open_until[number] = now + self._settings.cooldown_s
        if isinstance(error, UpstreamFailedError):
            return error
        return UpstreamFailedError(
            "the upstream failed", 504 if isinstance(error, TimeoutError) else 502
        )
