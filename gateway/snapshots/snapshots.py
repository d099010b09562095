"""The configuration in force, the next one while it is made, and those that calls still use."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from weakref import WeakSet

from gateway.config.document import Document
from gateway.config.load import Loaded
from gateway.config.problems import ConfigError, Finding, Problem
from gateway.config.reload import Standing
from gateway.connecting import Connector
from gateway.pipeline.routing.target import Connected
from gateway.registry import ConfiguredProvider
from gateway.sdk.stages import StageKind
from gateway.snapshots.carry import begin_looks, carry_over
from gateway.snapshots.connections import Connection, open_connection
from gateway.stages import configured_stages
from gateway.web.serving import Serving
from gateway.web.snapshot import Snapshot

_CONNECT_S = 60.0
_MOST_OLD = 32
_log = logging.getLogger("dynagate")

Make = Callable[
    [Document, Mapping[str, Connected], Mapping[str, StageKind], int, Snapshot | None],
    Coroutine[None, None, Snapshot],
]
Tell = Callable[[Snapshot, Snapshot | None], None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration that can be put in force: valid, its providers connected."""

    providers: Mapping[str, ConfiguredProvider]
    snapshot: Snapshot
    connections: Mapping[str, Connection]
    anew: frozenset[str]
    """Providers that are not as they were in the one before."""

    @property
    def document(self) -> Document:
        """The file."""
        return self.snapshot.services.document


class Snapshots:
    """Puts one configuration after another in force.

    `make` returns what requests see of one, `tell` logs what is to be said of it; both are given
    the one before.
    """

    def __init__(self, connector: Connector, make: Make, tell: Tell) -> None:
        self._connector = connector
        self._background = connector.background
        self._make = make
        self._tell = tell
        self._serving: Serving | None = None
        self._current: Prepared | None = None
        self._next: Prepared | None = None
        self._old: list[Prepared] = []
        # Each is held by its own task until it has been left.
        self._open: WeakSet[Connection] = WeakSet()

    @property
    def old(self) -> int:
        """How many configurations before this one calls still use."""
        return len(self._old)

    def having(self, provider: str, generation: int) -> Snapshot | None:
        """Return the newest one in use that has the provider, up to `generation` if there is one.

        One that is only prepared counts: workers ask for it before it is in force.
        """
        known = [one.snapshot for one in (self._next, self._current, *reversed(self._old)) if one]
        fitting = [one for one in known if one.generation <= generation]
        return next((one for one in (*fitting, *known) if provider in one.connected), None)

    async def prepare(
        self, loaded: Loaded, providers: Mapping[str, ConfiguredProvider], generation: int
    ) -> Prepared:
        """Make the next configuration; providers whose section is the same stay connected.

        `commit` or `abandon` must follow. Raises `ConfigError` for one that cannot be connected,
        except at the start, when it is set aside.
        """
        if len(self._old) >= _MOST_OLD:
            message = f"calls still use {_MOST_OLD} earlier configurations: try again later"
            raise ConfigError([Problem(str(loaded.path), "", message)])
        connections: dict[str, Connection] = {}
        connected: dict[str, Connected] = {}
        try:
            for name, provider in providers.items():
                connection, connected[name] = await self._connection(loaded, provider, generation)
                connections[name] = connection
            before = None if self._current is None else self._current.snapshot
            stages = await asyncio.to_thread(configured_stages, loaded)
            snapshot = await self._make(loaded.document, connected, stages, generation, before)
        except BaseException:
            _release(connections.values())
            raise
        was = {} if self._current is None else self._current.connections
        anew = {
            name for name, one in providers.items() if name not in was or not was[name].fits(one)
        }
        self._next = Prepared(providers, snapshot, connections, frozenset(anew))
        return self._next

    async def swap(
        self, loaded: Loaded, providers: Mapping[str, ConfiguredProvider], standing: Standing
    ) -> None:
        """Make the next configuration and put it in force. Raises `ConfigError`."""
        self.commit(await self.prepare(loaded, providers, standing.generation))

    def abandon(self, prepared: Prepared) -> None:
        """Forget what `prepare` made."""
        self._next = None
        _release(prepared.connections.values())
        if self._current is not None:
            carry_over(self._current.snapshot, self._current.snapshot, ())

    def begin(self, prepared: Prepared, serving: Serving) -> None:
        """Put the first configuration in force, which `serving` has already."""
        self._serving, self._current, self._next = serving, prepared, None
        begin_looks(prepared.snapshot)
        self._tell(prepared.snapshot, None)

    def commit(self, prepared: Prepared) -> None:
        """Put it in force: the next request gets it. Never waits."""
        before, serving = self._current, self._serving
        if before is None or serving is None:
            msg = "the first configuration begins"
            raise RuntimeError(msg)
        name = f"end of configuration {before.snapshot.generation}"
        self._background.start(name, self._leave(before))
        self._old.append(before)
        self._current, self._next = prepared, None
        for name, connection in prepared.connections.items():
            connection.provider = prepared.providers[name]
            self._connector.adjust(prepared.snapshot.connected[name].gate, connection.provider)
        carry_over(prepared.snapshot, before.snapshot, prepared.anew)
        serving.snapshot = prepared.snapshot
        self._tell(prepared.snapshot, before.snapshot)

    async def aclose(self) -> None:
        """Disconnect all providers, whoever may use them."""
        connections = tuple(self._open)
        for connection in connections:
            connection.end()
        for connection in connections:
            await connection.over.wait()

    async def _connection(
        self, loaded: Loaded, provider: ConfiguredProvider, generation: int
    ) -> tuple[Connection, Connected]:
        """Return the connection, held, and the provider behind its gate."""
        name, current = provider.name, self._current
        before = None if current is None else current.connections.get(name)
        known = None if current is None else current.snapshot.connected.get(name)
        gate = self._connector.gate(provider, None if known is None else known.gate)
        # The host is asked again: it tells of those models alone that are asked for.
        if before is not None and before.fits(provider) and not self._connector.is_far(provider):
            before.hold()
            return before, before.connected.behind(gate)
        connect = partial(self._connector.connect, provider, gate, generation)
        try:
            async with asyncio.timeout(None if current is None else _CONNECT_S):
                connection = await open_connection(provider, connect, self._background)
        except TimeoutError:
            message = f"it was not connected within {_CONNECT_S:g} s"
            raise loaded.error([Finding(("providers", name), message)]) from None
        self._open.add(connection)
        # One that could not be connected before either does not keep other changes from coming.
        had_failed = known is not None and known.has_failed
        if connection.connected.has_failed and not had_failed and current is not None:
            _release([connection])
            message = f"{connection.connected.missing}; the log says why"
            raise loaded.error([Finding(("providers", name), message)])
        return connection, connection.connected

    async def _leave(self, old: Prepared) -> None:
        """Let calls end that use `old`, which their own deadlines see to; then disconnect."""
        document, users = old.document, old.snapshot.services.users
        try:
            async with asyncio.timeout(document.server.bounds.body_s + document.deadlines.total_s):
                await users.gone()
        except TimeoutError:
            _log.warning("%d calls on an old configuration lose their providers", users.count)
        self._old.remove(old)
        _release(old.connections.values())


def _release(connections: Iterable[Connection]) -> None:
    for connection in connections:
        connection.release()
