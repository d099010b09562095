"""The place of one engine: the calls that want it, and its process while there is one."""

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from logging import Logger
from pathlib import Path

from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject
from gateway.sdk.errors import UpstreamError
from gateway.sdk.providers import Clock
from gateway.sdk.workshop.frames import FrameError
from gateway.sdk.workshop.hand import Engine, Hand, Item, StartError, Work

_AT_ONCE = 4  # Calls that a process knows of; the others wait here, where they are cheap.
_WAITING = 64
_TRIES = 3
_RETRY_AFTER_S = 5.0
_LOOK_S = 0.5
_PAUSE_MIN_S = 0.5
_PAUSE_MAX_S = 30.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a process may be idle, in seconds, and how much memory it may hold."""

    idle_s: float
    memory_bytes: int


class _BrokenError(Exception):
    """A process ended by itself, or had to be killed for its memory."""


class Bench:
    """One engine, for as long as `run` is running.

    A process that breaks is started again after half a second, then after twice as long each time,
    up to half a minute, until one has answered a call.
    """

    def __init__(self, engine: Engine, bounds: Bounds, *, clock: Clock, log: Logger) -> None:
        self._engine = engine
        self._bounds = bounds
        self._clock = clock
        self._log = log
        self._hand: Hand | None = None
        self._problem: StartError | None = None
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._calls = 0
        self._pause_s = _PAUSE_MIN_S
        self._wanted = asyncio.Event()
        self._changed = asyncio.Event()
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """The process that takes calls now, if one does."""
        return None if self._hand is None else self._hand.pid

    async def call(
        self, method: str, arguments: JsonObject, blobs: Sequence[bytes]
    ) -> AsyncGenerator[Item]:
        """Yield the answers; raise `UpstreamError`. Closing cancels the call at once."""
        if self._calls >= _WAITING:
            said = self._engine.said(f"{_WAITING} calls wait for {self._engine} already")
            raise UpstreamError(Failure.RATE_LIMIT, said, retry_after=_RETRY_AFTER_S)
        self._calls += 1
        try:
            for _ in range(_TRIES):
                hand, work = await self._give(method, arguments, blobs)
                try:
                    await hand.sent()
                    while isinstance(answer := await work.answers.get(), tuple):
                        yield answer
                        hand.more(work)
                finally:
                    hand.leave(work)
                match answer:
                    case None:
                        return
                    case UpstreamError():
                        raise answer
            said = self._engine.said(f"{_TRIES} processes of {self._engine} ended, one by one")
            raise UpstreamError(Failure.TRANSIENT, said)
        finally:
            self._calls -= 1

    async def run(self) -> None:
        """Have a process while calls want one, until cancelled."""
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                try:
                    await self._live()
                except (StartError, _BrokenError) as error:
                    await self._rest(error)
        finally:
            self.close()

    def close(self) -> None:
        """Turn away the calls that wait for a process: there will be none."""
        self._is_closed = True
        self._tell()

    async def _give(
        self, method: str, arguments: JsonObject, blobs: Sequence[bytes]
    ) -> tuple[Hand, Work]:
        """Give the call to the process once it may have one more."""
        await self._slots.acquire()
        try:
            hand = await self._ready()
            return hand, hand.give(method, arguments, blobs, self._slots.release)
        except BaseException as error:
            self._slots.release()
            if isinstance(error, TypeError | FrameError):
                said = self._engine.said(f"{self._engine} cannot be given this: {error}")
                raise UpstreamError(Failure.CALLER_FAULT, said) from error
            raise

    async def _ready(self) -> Hand:
        while self._hand is None:
            if self._is_closed:
                said = self._engine.said("the engines have been stopped")
                raise UpstreamError(Failure.TRANSIENT, said)
            if self._problem is not None:
                raise UpstreamError(self._problem.failure, self._problem.message)
            self._wanted.set()
            await self._changed.wait()
        return self._hand

    async def _live(self) -> None:
        """Run one process until it is not needed any more; raise if it ends before."""
        try:
            hand = await Hand.start(self._engine, clock=self._clock, log=self._log)
        except OSError as error:
            said = self._engine.said(f"no process can be started for {self._engine}")
            self._log.warning("%s: %s", said, error)
            raise StartError(Failure.NOT_READY, said) from error
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(hand.listen())
                problem = await hand.greet()
                if problem is None:
                    self._log.info("%s works (%d)", self._engine, hand.pid)
                    self._hand = hand
                    self._wanted.clear()  # By whoever came while it was being loaded.
                    self._tell()
                    await self._watch(hand, group.create_task(hand.serve()))
                    self._hand = None
                await hand.end()
        finally:
            self._hand = None
            await hand.end()
            hand.lose()
        if hand.has_answered:
            self._pause_s = _PAUSE_MIN_S
        if problem is not None:
            raise problem
        if not hand.is_dismissed:
            raise _BrokenError(f"the process of {self._engine} has ended")

    async def _watch(self, hand: Hand, serving: asyncio.Task[None]) -> None:
        """Return when the process has ended, or should because it is idle or too large."""
        while not serving.done():
            await asyncio.wait({serving}, timeout=_LOOK_S)
            held = resident_bytes(hand.pid)
            if held > self._bounds.memory_bytes and self._hand is not None:
                self._log.info("%s holds %d bytes", self._engine, held)
                self._hand = None  # New calls wait for the next process.
            if held > 2 * self._bounds.memory_bytes:
                hand.kill()
            quiet_s = self._clock.monotonic() - hand.quiet_since
            if not hand.is_busy and (self._hand is None or quiet_s >= self._bounds.idle_s):
                hand.is_dismissed = True
                return

    async def _rest(self, error: Exception) -> None:
        """Wait before the next process, longer each time; calls are told of a failed start."""
        if isinstance(error, StartError):
            self._problem = error
        self._tell()
        is_refused = isinstance(error, StartError) and error.is_refusal
        pause_s = _PAUSE_MIN_S if is_refused else self._pause_s
        self._log.warning("%s; the next process is started after %g s", error, pause_s)
        await asyncio.sleep(pause_s)
        self._pause_s = min(2 * pause_s, _PAUSE_MAX_S)
        self._problem = None

    def _tell(self) -> None:
        """Wake all who wait for a change."""
        self._changed.set()
        self._changed = asyncio.Event()


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds, 0 when it is gone or the system does not say."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0
