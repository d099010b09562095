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
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from gateway.config.load import Loaded
from gateway.crew.post import Post
from gateway.registry import Registry, configured_providers
from gateway.supervisor.child import Child, python
from gateway.supervisor.orders import Orders, packed
from gateway.supervisor.port import check_sharing, reserved
from gateway.supervisor.valkey import Valkey, is_needed
from gateway.telemetry import logs

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
    registry = Registry.discover(loaded.document.plugins.allow)
    providers = configured_providers(loaded, registry)
    secrets = (*loaded.secrets, *(s for p in providers.values() for s in p.secrets))
    logs.begin(loaded.document.logs, secrets)
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
        return asyncio.run(Supervisor(loaded, folder, port, valkey).run())


class Supervisor:
    """One gateway of several processes, whose sockets are in `folder`."""

    def __init__(self, loaded: Loaded, folder: Path, port: int, valkey: Valkey | None) -> None:
        self._valkey = valkey
        self._drain_s = loaded.document.server.drain_s
        self._stopping = asyncio.Event()
        self._code = 0
        workers = loaded.document.server.workers
        loaded = _with_shared_counts(loaded, valkey)

        def member(number: int, after: Child | None) -> Child:
            orders = packed(Orders(loaded, Post(number, workers, folder), port))
            name = f"worker {number}" if number else "host"
            return Child(name, python("gateway.supervisor.member"), orders, after)

        self._store = None if valkey is None else valkey.child()
        self._host = member(0, self._store)
        self._workers = [member(number, self._host) for number in range(1, workers + 1)]

    async def run(self) -> int:
        """Run until SIGINT or SIGTERM, or until a process cannot start; return the exit code."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(self._start(group))
            await self._stopping.wait()
            starting.cancel()
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

    async def _keep(self, child: Child) -> None:
        """Keep `child` running; if it cannot even start, all stop."""
        code = await child.keep()
        if code is not None and not self._stopping.is_set():
            self._code = max(code, _FAILED)
            if child is self._store and self._valkey is not None:
                _log.error("the valkey says: %s", self._valkey.last_words())
            _log.error("%s cannot start: all stop", child.name)
            self._stopping.set()


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
