"""What is kept for a while and may be lost: answers by name, within a number of bytes."""

from typing import Protocol


class Cache(Protocol):
    """Keeps bytes by name, each for its own time; what is oldest makes room for what is new.

    A server that cannot be reached holds nothing, keeps nothing, and costs 0.1 s at most.
    """

    async def get(self, name: str) -> bytes | None:
        """Return what is kept under `name`."""

    def put(self, name: str, data: bytes, keep_s: float) -> None:
        """Keep `data` in place of what was there. Never waits; what is too large is not kept."""

    async def claim(self, name: str, mark: bytes, keep_s: float) -> bytes | None:
        """Keep `mark` if there is nothing under `name`; return what is there already, else None.

        Of all who claim a name at once one gets it, whatever processes they are in.
        """

    def drop(self, name: str) -> None:
        """Forget what is kept under `name`. Never waits."""
