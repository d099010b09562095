"""The worker process, supervised: started, waited for, and started again when it dies."""

import asyncio
import os
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from logging import Logger
from pathlib import Path

import orjson

import gateway_local.worker
from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject, read_object
from gateway.sdk import Clock, UpstreamError
from gateway_local.settings import LocalSettings
from gateway_local.shelf import Chosen, Shelf

_KILL_AFTER_S = 2.0
_STOP_WITHIN_S = 10.0
_STEADY_S = (
    60.0  # A worker that lived this long has not failed to start: the next pause is short again.
)
_DOUBT_S = 1.0
_LOG_BYTES = 4096
_PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
_PASSED_ON |= {"SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A worker that answers: where, with which key, and what it has loaded."""

    url: str
    key: str
    pid: int
    chosen: Chosen

    def __repr__(self) -> str:
        """Say it without the key, for logs."""
        return f"Endpoint({self.url}, {self.chosen.name})"


class _StartError(Exception):
    """The worker ended, or took too long, before it could answer."""


class Engine:
    """One worker, for as long as `run` is running.

    Without weights no process is started; a call of `ready` looks for them again.
    """

    def __init__(self, settings: LocalSettings, shelf: Shelf, *, clock: Clock, log: Logger) -> None:
        self._settings = settings
        self._shelf = shelf
        self._clock = clock
        self._log = log
        self._endpoint: Endpoint | None = None
        self._problem: str | None = None
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._doubted = asyncio.Event()
        self._has_begun = False
        self._has_ended = asyncio.Event()

    @property
    def endpoint(self) -> Endpoint | None:
        """The worker that answers now, if one does."""
        return self._endpoint

    async def ready(self, deadline: float) -> Endpoint:
        """Return the worker once it answers.

        Raises `UpstreamError`: at once when there are no weights or the last start failed, at
        `deadline` (a reading of the clock) when it is still loading.
        """
        while self._endpoint is None:
            if self._has_ended.is_set():
                raise UpstreamError(Failure.TRANSIENT, "local: the engine has been stopped")
            if self._shelf.look() is None:
                raise UpstreamError(Failure.NOT_READY, self._shelf.absence)
            if self._problem is not None:
                raise UpstreamError(Failure.NOT_READY, self._problem)
            self._wanted.set()
            changed = self._changed
            try:
                async with asyncio.timeout(max(0.0, deadline - self._clock.monotonic())):
                    await changed.wait()
            except TimeoutError as error:
                raise UpstreamError(Failure.TIMEOUT, "local: the model is still loading") from error
        return self._endpoint

    def doubt(self, endpoint: Endpoint) -> None:
        """Take note that a call lost its connection to the worker.

        A dead worker's connections break before its end is known: new calls wait a moment rather
        than lose theirs too.
        """
        if self._endpoint is endpoint:
            self._endpoint = None
            self._doubted.set()

    async def run(self) -> None:
        """Keep a worker alive until cancelled."""
        self._has_begun = True
        pause_s = self._settings.restart_min_s
        try:
            while True:
                chosen = await self._weights()
                started = self._clock.monotonic()
                try:
                    await self._live(chosen)
                except (_StartError, OSError) as error:
                    self._problem = f"local: {chosen.path.name} cannot be loaded: {error}"
                if self._clock.monotonic() - started >= _STEADY_S:
                    pause_s = self._settings.restart_min_s
                said = self._problem or "local: the worker has ended"
                self._log.warning("%s; it is started again in %g s", said, pause_s)
                self._tell()
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, self._settings.restart_max_s)
                self._problem = None
        finally:
            self._has_ended.set()
            self._tell()

    async def stopped(self) -> None:
        """Wait until a cancelled `run` has ended its worker; bounded."""
        if self._has_begun:
            async with asyncio.timeout(_STOP_WITHIN_S):
                await self._has_ended.wait()

    async def _weights(self) -> Chosen:
        """Return what to load; without weights, wait for a call that found some."""
        is_said = False
        while (chosen := self._shelf.look()) is None:
            if not is_said:
                self._log.warning("%s", self._shelf.absence)
                is_said = True
            self._wanted.clear()
            await self._wanted.wait()
        if chosen.is_substitute:
            wanted = self._shelf.wanted().name
            self._log.warning("local: %s stands in for %s, which is not here", chosen.name, wanted)
        return chosen

    async def _live(self, chosen: Chosen) -> None:
        """Run one worker from its start to its end."""
        key = secrets.token_urlsafe(32)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            str(Path(gateway_local.worker.__file__)),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={name: text for name, text in os.environ.items() if name in _PASSED_ON},
            start_new_session=True,
        )
        try:
            async with asyncio.TaskGroup() as group:
                words = group.create_task(self._listen(process))
                port = await self._handshake(process, chosen, key)
                if port is not None:
                    self._log.info("local: %s answers (process %d)", chosen.name, process.pid)
                    endpoint = Endpoint(f"http://127.0.0.1:{port}", key, process.pid, chosen)
                    await self._offer(endpoint, group.create_task(process.wait()), group)
                else:
                    await _end(process)
        finally:
            self._endpoint = None
            await _end(process)
        if port is None:
            raise _StartError(
                words.result() or f"no answer in {self._settings.start_timeout_s:g} s"
            )

    async def _offer(
        self, endpoint: Endpoint, ended: asyncio.Task[int], group: asyncio.TaskGroup
    ) -> None:
        """Let calls have the worker until it ends; while it is doubted, they wait."""
        while not ended.done():
            self._endpoint = endpoint
            self._doubted.clear()
            self._tell()
            doubted = group.create_task(self._doubted.wait())
            await asyncio.wait({ended, doubted}, return_when=asyncio.FIRST_COMPLETED)
            doubted.cancel()
            self._endpoint = None
            await asyncio.wait({ended}, timeout=_DOUBT_S)

    async def _handshake(self, process: Process, chosen: Chosen, key: str) -> int | None:
        """Tell the worker what to load; return its port, or None when it ended or was too slow."""
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None:
            return None  # Never so: both are pipes.
        try:
            async with asyncio.timeout(self._settings.start_timeout_s):
                stdin.write(orjson.dumps(self._orders(chosen, key)) + b"\n")
                await stdin.drain()
                answer = read_object(await stdout.readline()) or {}
        except (TimeoutError, ConnectionError):
            return None
        port = answer.get("port")
        return port if isinstance(port, int) else None

    def _orders(self, chosen: Chosen, key: str) -> JsonObject:
        return {
            "path": str(chosen.path),
            "context": self._settings.context,
            "parallel": self._settings.parallel,
            "decode_threads": self._settings.decode_threads,
            "prompt_threads": self._settings.read_threads,
            "api_key": key,
        }

    async def _listen(self, process: Process) -> str:
        """Pass what the worker complains of to the debug log; return its last line."""
        last = b""
        while process.stderr is not None and (piece := await process.stderr.read(_LOG_BYTES)):
            last = (last + piece)[-_LOG_BYTES:]
            self._log.debug("local worker: %s", piece.decode("utf-8", "replace").rstrip())
        lines = last.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _tell(self) -> None:
        """Wake all who wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()


async def _end(process: Process) -> None:
    """End the process: its standard input ends, and two seconds later it is killed.

    Not by SIGTERM: asyncio looks whether the process still runs before it sends one, which takes
    the exit status of a process that has just died from its own watcher.
    """
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_KILL_AFTER_S):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
