"""Bytes that can be opened again for a while: the pictures that answers point to."""

from typing import NamedTuple, Protocol


class Stored(NamedTuple):
    """Bytes and what they are; `expires_at` is Unix time in seconds."""

    data: bytes
    media_type: str
    expires_at: float


class Objects(Protocol):
    """Keeps bytes under names for as long as the configuration says, and no more than it says."""

    async def put(self, key: str, data: bytes, media_type: str) -> float:
        """Keep `data` under `key` (letters and digits) and return when it expires, in Unix time.

        What was there is replaced. Raises OSError when it cannot be kept.
        """

    async def get(self, key: str) -> Stored | None:
        """Return what is under `key`, None where nothing is or is no more."""
