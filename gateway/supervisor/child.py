"""One process that the supervisor keeps running: started, awaited, started again, ended."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from gateway.supervisor.talk import Answering, Talk

_log = logging.getLogger("dynagate.supervisor")
_PAUSE_MIN_S, _PAUSE_MAX_S = 0.2, 30.0
_STEADY_S = 30.0
"""A process that lived so long is started again as if it were the first time."""


class Child:
    """A process called `name` that runs `words`, while `keep` runs.

    It is given one end of a pair of sockets, as the last of its words, and on it `orders`, once
    whom it comes `after` is ready; `Ready` from there says that it is ready itself. Its life ends
    with the other end. What it asks later is for `answer`.
    """

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        orders: Callable[[], bytes] = bytes,
        *,
        after: "Child | None" = None,
        answer: Answering | None = None,
    ) -> None:
        self.name = name
        self.said = ""
        self.ready = asyncio.Event()
        """Set when the process was ready for the first time."""
        self.over = asyncio.Event()
        """Set when there is no process and there will be none."""
        self._words = words
        self._orders = orders
        self._after = after
        self._answer = answer
        self._process: asyncio.subprocess.Process | None = None
        self._talk: Talk | None = None
        self._ending = asyncio.Event()
        self.over.set()

    async def keep(self) -> int | None:
        """Run the process, and again whenever it dies, until `end`. Cancelling kills it.

        Return the exit code if it died before it was ever ready: it has said why itself.
        """
        self.over.clear()
        try:
            return await self._keep()
        finally:
            self.over.set()

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tell the process to end, and start it no more."""
        self._ending.set()
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    @property
    def talk(self) -> "Talk | None":
        """The conversation with the process; None while there is none, or it is not ready."""
        return self._talk if self._talk is not None and self._talk.is_ready else None

    def renew(self) -> None:
        """Kill the process: it is started again, by orders that are new."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _keep(self) -> int | None:
        loop, pause_s = asyncio.get_running_loop(), _PAUSE_MIN_S
        while not self._ending.is_set():
            began = loop.time()
            code = await self._live()
            if self._ending.is_set():
                break
            if not self.ready.is_set():
                return code
            if loop.time() - began >= _STEADY_S:
                pause_s = _PAUSE_MIN_S
            _log.warning(
                "%s ended (%s): it is started again in %g s", self.name, _why(code), pause_s
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._ending.wait()
            pause_s = min(2 * pause_s, _PAUSE_MAX_S)
        return None

    async def _live(self) -> int:
        """Run the process once; return its exit code."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            with theirs:
                self._process = process = await asyncio.create_subprocess_exec(
                    *self._words,
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    env=environment(),
                    pass_fds=(theirs.fileno(),),
                    # A session of its own: ctrl-C is for the supervisor, which tells the others.
                    start_new_session=True,
                )
            if self._ending.is_set():  # Told to while it was being started.
                process.kill()
            try:
                async with asyncio.TaskGroup() as group:
                    talking = group.create_task(self._speak(ours))
                    code = await process.wait()
                    talking.cancel()
            except BaseException:
                if process.returncode is None:
                    process.kill()
                raise
        return code

    async def _speak(self, channel: socket.socket) -> None:
        """Give the orders, hear that the process is ready, and talk until it ends."""
        if self._after is not None:
            await self._after.ready.wait()
        talk = self._talk = Talk(channel, self._answer)
        try:
            await talk.give(self._orders())
            async for word in talk.words():
                self.said = word.said
                if self.ready.is_set():
                    _log.info("%s is back", self.name)
                self.ready.set()
        finally:
            talk.end()
            self._talk = None


def python(module: str, *words: str) -> list[str]:
    """Return the words that run one of our modules in a new interpreter."""
    # What can be imported here can be imported there; -P keeps the working folder out of it.
    return [sys.executable, "-P", "-m", module, *words]


def environment() -> dict[str, str]:
    """Return the variables for a process of ours, which finds what this one does."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _why(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
