"""The parent of several processes: starts them, starts them again, and ends them together.

It answers nobody itself: a host process runs what is run once and the admin listener, and `workers`
others listen on one port, which the system shares out. What they share they count in a Valkey.
"""

import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr

from gateway.config.load import Loaded
from gateway.config.problems import ConfigError
from gateway.config.reload import Standing
from gateway.crew.post import Post
from gateway.sdk.clock import SystemClock
from gateway.snapshots.reloads import Providers, Reloads, providers_of
from gateway.snapshots.triggers import on_hangup, reload_on, watch
from gateway.supervisor.child import Child, python
from gateway.supervisor.orders import Orders
from gateway.supervisor.port import check_sharing, reserved
from gateway.supervisor.swap import Swap
from gateway.supervisor.talk import Value
from gateway.supervisor.valkey import Valkey, is_needed
from gateway.supervisor.words import Reload, frame
from gateway.telemetry import logs
from gateway.telemetry.redact import Redactor

_log = logging.getLogger("dynagate.supervisor")
_FAILED = 1
_GRACE_S = 2.0
"""Beyond `server.drain_s`, for what a worker does after its deadline."""
_HOST_S = 12.0
"""For the host to end its engines, and the Valkey to write its file."""
_LONGEST_PATH = 100
"""Of a socket: the system's limit is 103 or 107 bytes."""


def serve(loaded: Loaded) -> int:
    """Run until told to stop; return the exit code. Raises `ConfigError`."""
    providers = providers_of(loaded)
    secrets = (*loaded.secrets, *(s for p in providers.values() for s in p.secrets))
    redact, _ = logs.begin(loaded.document.logs, secrets)
    check_sharing(loaded)
    needs_valkey = is_needed(loaded)
    server = loaded.document.server
    with ExitStack() as stack:
        what = f"listen at {server.host}:{server.port}"
        try:
            port = stack.enter_context(reserved(server.host, server.port))
            what = "make a folder for sockets"
            folder = stack.enter_context(_private_folder())
        except OSError as error:
            _log.error("cannot %s: %s", what, error.strerror or error)
            return _FAILED
        valkey = None
        if needs_valkey:
            valkey = Valkey(loaded, folder, os.environ)
            stack.enter_context(valkey.held())
        place = Place(folder, port, valkey)
        return asyncio.run(Supervisor(loaded, providers, place, redact).run())


@dataclass(frozen=True, slots=True)
class Place:
    """Where the processes meet: a folder of sockets, a port, and what they count in."""

    folder: Path
    port: int
    valkey: Valkey | None


class Supervisor:
    """One gateway of several processes."""

    def __init__(
        self, loaded: Loaded, providers: Providers, place: Place, redact: Redactor
    ) -> None:
        self._loaded = _with_shared_counts(loaded, place.valkey)
        self._valkey = valkey = place.valkey
        self._redact = redact
        self._drain_s = loaded.document.server.drain_s
        self._stopping, self._hangup = asyncio.Event(), asyncio.Event()
        self._code = 0
        workers = loaded.document.server.workers
        self._reloads = Reloads(
            loaded,
            providers,
            os.environ,
            SystemClock(),
            swap=self._put_in_force,
            learn=redact.learn,
            tell=self._tell,
        )
        self._standing = self._reloads.standing

        def member(number: int, after: Child | None) -> Child:
            def orders() -> bytes:
                post = Post(number, workers, place.folder)
                return frame(Orders(self._loaded, self._standing, post, place.port))

            words = python("gateway.supervisor.member")
            name = f"worker {number}" if number else "host"
            return Child(name, words, orders, after=after, answer=self._answer)

        self._store = None if valkey is None else valkey.child()
        self._host = member(0, self._store)
        self._workers = [member(number, self._host) for number in range(1, workers + 1)]
        self._swap = Swap(self._host, self._workers)

    async def run(self) -> int:
        """Run until SIGINT or SIGTERM, or until a process cannot start; return the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        on_hangup(self._hangup, self._stopping)
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(self._start(group))
            await self._stopping.wait()
            starting.cancel()  # And who waits for another file.
            # What the workers use ends after them.
            await _ended(self._workers, self._drain_s + _GRACE_S)
            await _ended([self._host], _HOST_S)
            await _ended([self._store] if self._store is not None else [], _HOST_S)
        return self._code

    async def _start(self, group: asyncio.TaskGroup) -> None:
        """Start all at once: who needs another has its orders later. The group has their tasks."""
        if self._store is not None and self._valkey is not None:
            group.create_task(self._keep(self._store))
        for child in (self._host, *self._workers):
            group.create_task(self._keep(child))
        if self._store is not None and self._valkey is not None:
            await self._valkey.answers()
            self._store.ready.set()
        for child in self._workers:
            await child.ready.wait()
        sys.stdout.write(self._workers[0].said)
        sys.stdout.flush()
        async with asyncio.TaskGroup() as triggers:
            triggers.create_task(reload_on(self._hangup, self._reloads))
            triggers.create_task(watch(self._reloads))

    async def _keep(self, child: Child) -> None:
        """Keep `child` running; if it cannot even start, all stop."""
        code = await child.keep()
        if code is not None and not self._stopping.is_set():
            self._code = max(code, _FAILED)
            if child is self._store and self._valkey is not None:
                _log.error("the valkey says: %s", self._valkey.last_words())
            _log.error("%s cannot start: all stop", child.name)
            self._stopping.set()

    async def _put_in_force(self, loaded: Loaded, _: Providers, standing: Standing) -> None:
        """Have all processes swap, or none. Raises `ConfigError`."""
        shared = _with_shared_counts(loaded, self._valkey)
        await self._swap.prepare(shared, standing.generation)
        logs.adjust(loaded.document.logs, self._redact)
        # From here on it is in force, for those that are started again as well.
        self._loaded, self._standing = shared, standing
        await self._swap.commit(standing)

    async def _tell(self, standing: Standing) -> None:
        self._standing = standing
        await self._swap.stands(standing)

    async def _answer(self, word: Reload) -> Value:
        """Do what the operator asked of the host."""
        try:
            return await self._reloads.reload(word.why, is_trial=word.is_trial)
        except ConfigError as error:
            return error.problems


def _with_shared_counts(loaded: Loaded, valkey: Valkey | None) -> Loaded:
    """Return the configuration as the workers have it."""
    document = loaded.document
    shared: dict[str, object] = {"replicas": document.state.replicas * document.server.workers}
    if valkey is not None:
        shared["valkey"] = SecretStr(valkey.url)
    state = document.state.model_copy(update=shared)
    return replace(loaded, document=document.model_copy(update={"state": state}))


async def _ended(children: Sequence[Child], within_s: float) -> None:
    """Tell the processes to end, and kill those that have not after `within_s` seconds."""
    for child in children:
        child.end()
    async with asyncio.TaskGroup() as group:
        for child in children:
            group.create_task(_killed_after(child, within_s))


async def _killed_after(child: Child, within_s: float) -> None:
    try:
        async with asyncio.timeout(within_s):
            await child.over.wait()
    except TimeoutError:
        _log.warning("%s has not ended after %g s: it is killed", child.name, within_s)
        child.end(signal.SIGKILL)
        await child.over.wait()


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Make a folder that only this user may enter, short enough for sockets; remove it at the end.

    Raises `OSError`.
    """
    folder = Path(tempfile.mkdtemp(prefix="dynagate-"))
    try:
        if len(str(folder / "worker-999.sock")) > _LONGEST_PATH:
            msg = f"{folder} is too long for sockets: set TMPDIR to a shorter path"
            raise OSError(msg)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
