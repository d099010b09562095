"""Where state is kept: in this process alone, or in a database that survives it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from gateway.config.load import Loaded
from gateway.config.places import database_path
from gateway.config.problems import Finding
from gateway.sdk.providers import Clock
from gateway.state.counters import Counters
from gateway.state.errors import StateError
from gateway.state.keys import HeldKeys, Keys
from gateway.state.memory import MemoryCounters


class State(Protocol):
    """What the running gateway keeps."""

    @property
    def counters(self) -> Counters:
        """Who has called how often."""

    @property
    def keys(self) -> Keys:
        """Who may call by name."""

    async def keep(self) -> None:
        """Write what changes, and read what others change, until the state is closed."""


class MemoryState:
    """State that ends with the process."""

    def __init__(self, counters: MemoryCounters) -> None:
        self.counters = counters
        self.keys = HeldKeys()

    async def keep(self) -> None:
        """See `State.keep`: there is nothing to do."""


@asynccontextmanager
async def open_state(
    loaded: Loaded, environ: Mapping[str, str], clock: Clock
) -> AsyncGenerator[State]:
    """Open what `state.url` names; leaving writes the rest. Raises `ConfigError`."""
    document = loaded.document
    path = database_path(document.state.url, environ)
    capacity = document.limits.tracked_callers
    counters = MemoryCounters(clock, capacity=capacity, is_kept=path is not None)
    if path is None:
        yield MemoryState(counters)
        return
    # SQLAlchemy costs a tenth of a second, which only those pay who keep something.
    from gateway.state.sql.keeper import open_kept  # noqa: PLC0415

    try:
        kept = await open_kept(path, counters, clock)
    except StateError as error:
        raise loaded.error([Finding(("state", "url"), str(error))]) from None
    try:
        yield kept
    finally:
        await kept.aclose()
