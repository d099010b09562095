"""Counting calls: fixed windows and calls in flight, taken all or none."""

from typing import NamedTuple, Protocol


class Share(NamedTuple):
    """What a call takes of one window: `amount` of the `limit` that it holds.

    `key` and `period_s` say which window; `name` is what is counted, for whoever is refused. One
    that begins now lasts `lasts_s` seconds: the period, unless it ends with a day or month.
    """

    name: str
    key: str
    amount: int
    limit: int
    period_s: int
    lasts_s: int


class Demand(NamedTuple):
    """All that a call takes: of each window its share, and one of `concurrent` places of `key`."""

    key: str
    concurrent: int
    shares: tuple[Share, ...]


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
    """One admitted call. Nothing here ever waits."""

    @property
    def windows(self) -> tuple[Window, ...]:
        """How each window of the demand stands after it, in its order."""

    def release(self) -> None:
        """End the call; a second time does nothing."""

    def settle(self, name: str, amount: int) -> None:
        """Count `amount` of the share `name` in place of what was taken: it is known now.

        That may be more than was left of its limit. A window that has ended stays as it was.
        """


CONCURRENT = "concurrent"


class Refused(NamedTuple):
    """A call that was not admitted; nothing was counted.

    `name` is the share that was too large, or `CONCURRENT`; `window` that share's window, or the
    first.
    """

    name: str
    window: Window


class Used(NamedTuple):
    """How much of a window is used; `resets_at` is Unix time in seconds, None if none runs."""

    used: int
    resets_at: int | None


class Standing(NamedTuple):
    """How a caller stands: the windows of a demand, in its order, and the calls `in_flight`."""

    windows: tuple[Used, ...]
    in_flight: int


class Counters(Protocol):
    """Admits calls."""

    async def take(self, demand: Demand) -> Lease | Refused:
        """Count one call against all of `demand`, or none of it."""

    async def look(self, demand: Demand) -> Standing:
        """Say how the caller of `demand` stands; nothing is counted."""
