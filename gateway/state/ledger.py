"""The ledger: one entry for each call, kept before its answer is whole."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.schema.usage import Usage


@dataclass(slots=True)  # Frozen, one would cost three times as much to make.
class Entry:
    """What one call was; nobody changes one.

    `request_id` names it: an entry is kept once, however often it is given.

    `at` is when it began, in Unix time; `key_id` is empty for anonymous callers, of whom nothing
    else is kept; `model` is the name that the caller used, `target` is "provider/model" of the one
    that answered last, empty when none was asked. `failure` is the failure class, or the code of an
    error of the caller's own; empty for a call that succeeded.
    """

    request_id: str
    at: float
    key_id: str
    model: str
    target: str
    dialect: str
    status: int
    """What HTTP said or would have said; 499 for a caller who left before the end."""
    failure: str
    attempts: int
    usage: Usage
    """Its buckets are disjoint; all are 0 for what is not counted in tokens."""
    images: int
    audio_s: float
    """Seconds of sound heard or spoken."""
    cost_usd_micros: int | None
    """Millionths of a US dollar; None where no price is known."""
    price_version: str
    """Which table the price is from; empty where none is known."""
    queue_s: float | None
    """Waiting for a place, ours and at the target's gate."""
    first_token_s: float | None
    total_s: float
    is_stream: bool
    is_aborted: bool
    cache: str = ""
    """What the cache did: `hit`, `miss`, `bypass`, `shared`; empty where the model has none."""
    shared_with: str = ""
    """Of a call that was answered by another's generation: the request id of that one."""


class Ledger(Protocol):
    """Keeps entries."""

    @property
    def is_open(self) -> bool:
        """Whether one more entry can be kept: a call that it could not be kept of is not made."""

    def record(self, entry: Entry) -> Awaitable[None]:
        """Take an entry to be kept with the next ones. Never waits, and loses nothing.

        What it returns may be awaited or not: it waits until the entry is safe, 0.1 s at most.
        """


class Standing(NamedTuple):
    """How a ledger stands: entries kept since the start, and those that wait in the spool.

    `problem` says what is wrong, empty when nothing is.
    """

    rows: int = 0
    spooled_rows: int = 0
    is_open: bool = True
    problem: str = ""


class WatchedLedger(Ledger, Protocol):
    """A ledger that says how it stands: for probes and metrics."""

    @property
    def standing(self) -> Standing:
        """How it stands now."""
