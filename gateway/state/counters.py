"""Counting calls: fixed windows and calls in flight, taken all or none."""

from typing import NamedTuple, Protocol


class Limit(NamedTuple):
    """`requests` in `period_s` seconds that start with the first one, `concurrent` at once.

    `key` names who is counted.
    """

    key: str
    requests: int
    period_s: int
    concurrent: int


class Window(NamedTuple):
    """How a window stands; `resets_at` is Unix time in seconds."""

    limit: int
    remaining: int
    resets_at: int
    resets_in_s: int = 0

    @property
    def resets_in(self) -> str:
        """The time left as OpenAI's headers write it: `1h2m3s`, leading zeros left out."""
        minutes, seconds = divmod(max(0, self.resets_in_s), 60)
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h" if hours else ""
        return text + (f"{minutes}m" if hours or minutes else "") + f"{seconds}s"


class Saved(NamedTuple):
    """A window as it survives a restart; `ends_at` is Unix time in seconds."""

    key: str
    period_s: int
    used: int
    ends_at: float


class Lease(Protocol):
    """One admitted call."""

    window: Window

    def release(self) -> None:
        """End the call; a second time does nothing. Never waits."""

    def refund(self) -> None:
        """Take the call out of the window: it was not the caller's to pay."""


class Refused(NamedTuple):
    """A call that was not admitted; nothing was counted. `is_window` says which limit it was."""

    window: Window
    is_window: bool


class Counters(Protocol):
    """Admits calls."""

    async def take(self, limit: Limit) -> Lease | Refused:
        """Count one call against all of `limit`, or none of it."""
