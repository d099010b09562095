"""Whom the stand-in lets in: so many calls, and so many at once, for each caller."""

import asyncio
import time

from aiohttp import web
from redis.asyncio import Redis

from tests.faults.stand_in.settings import Settings


class Admission:
    """Counts the calls of each caller."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._defects = settings.defects
        self._used: dict[str, int] = {}
        self._ends: dict[str, float] = {}
        """When the window of a caller does."""
        self._now = time.time if "counts_by_wall" in self._defects else time.monotonic
        self._valkey = Redis.from_url(settings.valkey) if settings.valkey else None
        self._inside: dict[str, int] = {}

    def caller(self, request: web.Request) -> str:
        """Return who is counted."""
        if "trusts_forwarded" in self._defects:
            return request.headers.get("X-Forwarded-For", request.remote or "")
        return request.remote or ""

    async def take(self, who: str) -> int | None:
        """Count a call; return how many are left, or None if there is no room for it."""
        now = self._now()
        if self._ends.get(who, now) <= now:
            self._used.pop(who, None)
            self._ends[who] = now + self._settings.period_s
        if await self._together(who) > self._settings.requests:
            return None
        used = self._used.get(who, 0)
        if used >= self._settings.requests:
            return None
        if self._inside.get(who, 0) >= self._settings.concurrent:
            return None
        if "counts_late" in self._defects:
            await asyncio.sleep(0.01)
        self._used[who] = used + 1
        self._inside[who] = self._inside.get(who, 0) + 1
        return self._settings.requests - self._used[who]

    async def _together(self, who: str) -> int:
        """Count a call where all count; return how many there are."""
        return 0 if self._valkey is None else int(await self._valkey.incr(f"used:{who}"))

    async def close(self) -> None:
        """Let the server go that is counted in."""
        if self._valkey is not None:
            await self._valkey.aclose()

    def leave(self, who: str, *, is_gone: bool = False) -> None:
        """Give the place back; `is_gone` says that the caller hung up."""
        if not (is_gone and "leaks_slot" in self._defects):
            self._inside[who] -= 1
