"""Where state is kept: in this process alone, or in a database that survives it."""

import shlex
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from gateway.config.database import place_of
from gateway.config.load import Loaded
from gateway.config.places import state_dir
from gateway.config.problems import Finding
from gateway.sdk.providers import Clock
from gateway.state.counters import Counters
from gateway.state.errors import OutdatedError, StateError
from gateway.state.keys import HeldKeys, KeyBook, Keys
from gateway.state.ledger import WatchedLedger
from gateway.state.memory import MemoryCounters
from gateway.state.memory_ledger import MemoryLedger
from gateway.state.memory_usage import MemoryReports
from gateway.state.usage import Reports


class State(Protocol):
    """What the running gateway keeps."""

    @property
    def counters(self) -> Counters:
        """Who has called how often."""

    @property
    def keys(self) -> Keys:
        """Who may call by name."""

    @property
    def ledger(self) -> WatchedLedger:
        """What every call was."""

    @property
    def is_failing(self) -> bool:
        """Whether what should outlive this process cannot be kept just now."""

    @property
    def key_book(self) -> KeyBook | None:
        """The same keys, to be made and changed; None where nothing outlives the process."""

    @property
    def reports(self) -> Reports:
        """What has been used, for who asks while the gateway runs."""

    async def keep(self) -> None:
        """Write what changes, and read what others change, until the state is closed."""


class MemoryState:
    """State that ends with the process."""

    is_failing = False

    def __init__(self, counters: MemoryCounters) -> None:
        self.counters = counters
        self.keys = HeldKeys()
        self.ledger = MemoryLedger()
        self.reports = MemoryReports(self.ledger)
        self.key_book = None

    async def keep(self) -> None:
        """See `State.keep`: there is nothing to do."""


@asynccontextmanager
async def open_state(
    loaded: Loaded, environ: Mapping[str, str], clock: Clock
) -> AsyncGenerator[State]:
    """Open what `state.url` names; leaving writes the rest. Raises `ConfigError`."""
    document = loaded.document
    place = place_of(document.state.url, environ)
    capacity = document.limits.tracked_callers
    counters = MemoryCounters(clock, capacity=capacity, is_kept=place is not None)
    if place is None:
        yield MemoryState(counters)
        return
    # SQLAlchemy costs a tenth of a second, which only those pay who keep something.
    from gateway.state.sql.keeper import open_kept  # noqa: PLC0415

    try:
        section, folder = document.ledger, state_dir(environ)
        kept = await open_kept(
            place,
            counters,
            clock,
            section=section,
            folder=folder,
            is_alone=document.state.valkey is None,
        )
    except OutdatedError as error:
        message = f"{error} --config {shlex.quote(str(loaded.path))}"
        raise loaded.error([Finding(("state", "url"), message)]) from None
    except StateError as error:
        raise loaded.error([Finding(("state", "url"), str(error))]) from None
    try:
        yield kept
    finally:
        await kept.aclose()
