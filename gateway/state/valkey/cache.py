"""A cache that several processes share."""

import asyncio
from typing import Any, Final

from gateway.state.memory_cache import OVERHEAD_BYTES, MemoryCache
from gateway.state.valkey.commands import After, Commands, Down
from gateway.state.valkey.scripts import KEEP, Script

INDEX_MS: Final = 32 * 86_400_000
"""What is known of all entries outlives each of them, and goes by itself."""


class ValkeyCache:
    """See `Cache`: at most `size_bytes` at the server, the oldest goes first.

    A reply that takes longer than `answer_s` is none. While the server is down, `own` holds what
    this process keeps.
    """

    def __init__(
        self, name: str, commands: Commands, own: MemoryCache, *, size_bytes: int, answer_s: float
    ) -> None:
        self._prefix = f"dynagate:{{{name}}}:"
        self._commands = commands
        self._own = own
        self._most = size_bytes
        self._answer_s = answer_s

    async def get(self, name: str) -> bytes | None:
        """See `Cache.get`."""
        try:
            async with asyncio.timeout(self._answer_s):
                found: bytes | None = await self._commands.ask("GET", self._prefix + name)
        except (Down, TimeoutError):
            return await self._own.get(name)
        return found

    def put(self, name: str, data: bytes, keep_s: float) -> None:
        """See `Cache.put`."""
        self._own.drop(name)
        if self._commands.is_up:
            self._commands.post(*self._words(KEEP, name, data, keep_s, 0), after=After.UNSENT)
        else:
            self._own.put(name, data, keep_s)

    async def claim(self, name: str, mark: bytes, keep_s: float) -> bytes | None:
        """See `Cache.claim`."""
        try:
            async with asyncio.timeout(self._answer_s):
                words = self._words(KEEP, name, mark, keep_s, 1)
                found: bytes | None = await self._commands.ask(*words)
        except (Down, TimeoutError):
            return await self._own.claim(name, mark, keep_s)
        return found

    def drop(self, name: str) -> None:
        """See `Cache.drop`."""
        self._own.drop(name)
        self._commands.post(*self._words(KEEP, name, b"", 0, 0), after=After.ALWAYS)

    def _words(
        self, script: Script, name: str, data: bytes, keep_s: float, is_claim: int
    ) -> tuple[Any, ...]:  # Any: words of a command.
        keys = (f"{self._prefix}index", f"{self._prefix}sizes", self._prefix + name)
        bounds = (int(keep_s * 1000), self._most, OVERHEAD_BYTES, INDEX_MS)
        return ("EVALSHA", script.sha, 3, *keys, name, data, *bounds, is_claim, self._prefix)
