"""Short notices between the processes of a gateway: who missed one can do without it."""

from collections.abc import Callable
from typing import Protocol

Hear = Callable[[bytes, float], None]
"""Told each notice of another process, and its age in seconds. Must not wait."""


class Notices(Protocol):
    """One process's end. Nothing here is certain to arrive."""

    def send(self, notice: bytes) -> None:
        """Tell the other processes. Never waits; dropped while they cannot be reached."""

    async def keep(self, hear: Hear) -> None:
        """Hear what others send until cancelled; first the last of what was sent before."""
