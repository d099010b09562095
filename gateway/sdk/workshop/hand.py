"""One live process of an engine: started, greeted, given calls, listened to, ended."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from logging import Logger

from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject
from gateway.sdk.errors import UpstreamError
from gateway.sdk.providers import Clock
from gateway.sdk.workshop.frames import FrameError, pack, receive

_START_WITHIN_S = 120.0
_STOP_WITHIN_S = 1.0
_PATIENCE = 10  # Times that, while killing the process would break other callers' work.
_KILL_AFTER_S = 2.0
_LOG_BYTES = 4096
_PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
_PASSED_ON |= {"SYSTEMROOT", "TEMP", "TMP", "TMPDIR", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS"}

Item = tuple[JsonObject, bytes]


@dataclass(frozen=True, slots=True)
class Engine:
    """Which engine: whose it is, what it is called, where its module is, what `load` is given."""

    owner: str
    name: str
    module: str
    orders: JsonObject

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"the {self.name} engine"

    def said(self, what: str) -> str:
        """Return `what` as errors say it: after the owner's name."""
        return f"{self.owner}: {what}"


class StartError(Exception):
    """The engine could not be loaded; `is_refusal` when it said why in words for the caller."""

    def __init__(self, failure: Failure, message: str, *, is_refusal: bool = False) -> None:
        super().__init__(message)
        self.failure = failure
        self.message = message
        self.is_refusal = is_refusal


class UnbegunError(Exception):
    """The process ended before it began with a call: another process may be given it."""


@dataclass(slots=True, eq=False)
class Work:
    """A call that a process was given. The last of `answers` is None or an error.

    The process sends no more answers than were asked for, which bounds the queue.
    """

    number: int
    on_over: Callable[[], None]
    answers: asyncio.Queue[Item | UpstreamError | UnbegunError | None] = field(
        default_factory=asyncio.Queue
    )
    has_begun: bool = False


class Hand:
    """A process and the calls it was given."""

    def __init__(self, engine: Engine, process: Process, *, clock: Clock, log: Logger) -> None:
        self._engine = engine
        self._process = process
        self._clock = clock
        self._log = log
        self._works: dict[int, Work] = {}
        self._numbers = 0
        self.quiet_since = clock.monotonic()
        self.has_answered = False
        self.is_dismissed = False
        """Its end is wanted: it is idle, too large, or at work on what nobody waits for."""

    @classmethod
    async def start(cls, engine: Engine, *, clock: Clock, log: Logger) -> "Hand":
        """Start the process; raise `OSError`. `greet` comes next."""
        kept = {name: text for name, text in os.environ.items() if name in _PASSED_ON}
        # What can be imported here can be imported there; -P keeps our own folder out of it.
        # Nothing may be downloaded behind the operator's back.
        kept |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "HF_HUB_OFFLINE": "1"}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "gateway.sdk.workshop.worker",
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=kept,
            start_new_session=True,
        )
        return cls(engine, process, clock=clock, log=log)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def is_busy(self) -> bool:
        """Whether it has calls, cancelled ones that have not stopped yet included."""
        return bool(self._works)

    async def greet(self) -> StartError | None:
        """Say what to load and wait until it is; return what is in the way of it."""
        stdout = self._process.stdout
        frame = None
        try:
            async with asyncio.timeout(_START_WITHIN_S):
                self._write({"module": self._engine.module, "orders": self._engine.orders})
                frame = await receive(stdout) if stdout is not None else None
        except (TimeoutError, FrameError):
            self.kill()
        said = self._engine.said(f"{self._engine} cannot be loaded")
        match frame:
            case ({"ready": True}, _):
                return None
            case ({"refusal": failure, "message": message}, _):
                return StartError(_failure(failure), self._engine.said(message), is_refusal=True)
            case ({"error": error}, _):
                self._log.warning("%s: %s", said, error)
            case _:
                self._log.warning("%s: its process ended or was silent", said)
        return StartError(Failure.NOT_READY, f"{said}; the gateway's log says why")

    async def serve(self) -> None:
        """Pass on what the process answers, until it ends."""
        stdout = self._process.stdout
        try:
            while stdout is not None and (frame := await receive(stdout)) is not None:
                self._take(*frame)
        except FrameError as error:
            self._log.warning("%s broke: %s", self._engine, error)
            self.kill()

    async def listen(self) -> None:
        """Pass what the process complains of to the debug log."""
        stderr = self._process.stderr
        while stderr is not None and (piece := await stderr.read(_LOG_BYTES)):
            text = piece.decode("utf-8", "replace").rstrip()
            self._log.debug("%s: %s", self._engine, text)

    def give(
        self,
        method: str,
        arguments: JsonObject,
        blobs: Sequence[bytes],
        on_over: Callable[[], None],
    ) -> Work:
        """Give it a call; `on_over` is called when it has done with it. Raises as `pack`."""
        self._numbers += 1
        work = Work(self._numbers, on_over)
        self._write({"call": work.number, "method": method, "arguments": arguments}, blobs)
        self._works[work.number] = work
        return work

    async def sent(self) -> None:
        """Wait until what was written has left, nearly."""
        if self._process.stdin is not None:
            with suppress(ConnectionError):  # `lose` tells the calls.
                await self._process.stdin.drain()

    def more(self, work: Work) -> None:
        """Let the engine yield one more answer."""
        if work.number in self._works:
            self._write({"more": work.number})

    def leave(self, work: Work) -> None:
        """Cancel a call that is not over; kill the process if it does not stop."""
        if work.number in self._works:
            self._write({"cancel": work.number})
            self._expect_end(work.number, _PATIENCE)

    def lose(self) -> None:
        """Tell all calls that the process is gone."""
        said = self._engine.said(f"the process of {self._engine} ended in the middle of the call")
        for work in list(self._works.values()):
            broken = UpstreamError(Failure.TRANSIENT, said) if work.has_begun else UnbegunError()
            self._finish(work, broken)

    def kill(self) -> None:
        """End the process now."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """End the process: its standard input ends, and two seconds later it is killed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_KILL_AFTER_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()

    def _write(self, header: JsonObject, blobs: Sequence[bytes] = ()) -> None:
        frame = pack(header, blobs)
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(frame)

    def _take(self, header: JsonObject, blobs: list[bytes]) -> None:
        work = self._works.get(header.get("call", 0))
        if work is None:
            return
        match header:
            case {"begun": True}:
                work.has_begun = True
            case {"item": facts}:
                work.answers.put_nowait((facts, blobs[0]))
            case {"done": True}:
                self.has_answered = True
                self._finish(work, None)
            case {"refusal": failure, "message": message, "param": param}:
                self.has_answered = True
                self._finish(work, UpstreamError(_failure(failure), message, param=param))
            case {"error": error}:
                self._log.debug("%s failed: %s", self._engine, error)
                said = self._engine.said(f"{self._engine} failed: {error.partition(':')[0]}")
                self._finish(work, UpstreamError(Failure.UNKNOWN, said))

    def _finish(self, work: Work, last: UpstreamError | UnbegunError | None) -> None:
        del self._works[work.number]
        self.quiet_since = self._clock.monotonic()
        work.answers.put_nowait(last)
        work.on_over()

    def _expect_end(self, number: int, patience: int) -> None:
        """Look in a second whether a cancelled call has stopped."""
        loop = asyncio.get_running_loop()
        loop.call_later(_STOP_WITHIN_S, self._insist, number, patience - 1)

    def _insist(self, number: int, patience: int) -> None:
        if number not in self._works:
            return
        others = [work for work in self._works.values() if work.number != number]
        if patience > 0 and any(work.has_begun for work in others):
            self._expect_end(number, patience)
            return
        self._log.info("%s did not stop and is ended", self._engine)
        self.is_dismissed = True
        self.kill()


def _failure(word: str) -> Failure:
    return Failure(word) if word in set(Failure) else Failure.UNKNOWN
