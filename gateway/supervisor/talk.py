"""The supervisor's end of its conversation with one process, while that runs."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from itertools import count

from gateway.background import Background
from gateway.config.problems import Problem
from gateway.config.reload import Outcome
from gateway.supervisor.words import (
    Abandon,
    Answer,
    Ask,
    Commit,
    Frames,
    Prepare,
    Ready,
    Reload,
    Stands,
    frame,
)

Value = tuple[Problem, ...] | Outcome | bool | None
Answering = Callable[[Reload], Awaitable[Value]]
"""Answers what a process asks; never raises."""
_MOST_ASKED = 64
_PIECE_BYTES = 64 * 1024


class EndedError(Exception):
    """The process has ended, or does not answer."""


class Talk:
    """Over `channel`, which does not block."""

    def __init__(self, channel: socket.socket, answering: Answering | None) -> None:
        self.is_ready = False
        self._channel = channel
        self._answering = answering
        self._loop = asyncio.get_running_loop()
        self._sending = asyncio.Lock()
        self._tickets = count(1)
        self._asked: dict[int, asyncio.Future[Value]] = {}
        self._answers = Background(_MOST_ASKED)

    async def give(self, orders: bytes) -> None:
        """Send the orders. A process that has ended is not told."""
        with suppress(OSError):
            await self._loop.sock_sendall(self._channel, orders)

    async def words(self) -> AsyncGenerator[Ready]:
        """Yield `Ready` when the process says so, and see to all else that it says, to its end."""
        frames = Frames()
        with suppress(OSError):
            while piece := await self._loop.sock_recv(self._channel, _PIECE_BYTES):
                for word in frames.take(piece):
                    match word:
                        case Ready():
                            self.is_ready = True
                            yield word
                        case Ask():
                            self._answer(word)
                        case Answer():
                            asked = self._asked.get(word.ticket)
                            if asked is not None and not asked.done():
                                asked.set_result(word.value)

    async def ask(self, word: Prepare | Commit | Abandon | Stands, within_s: float) -> Value:
        """Return what the process answers. Raises `EndedError`."""
        ticket = next(self._tickets)
        answered = self._asked[ticket] = self._loop.create_future()
        try:
            async with asyncio.timeout(within_s):
                await self._send(Ask(ticket, word))
                value: Value = await answered
                return value
        except TimeoutError:
            message = f"it did not answer within {within_s:g} s"
            raise EndedError(message) from None
        except OSError:
            raise EndedError("it has ended") from None
        finally:
            del self._asked[ticket]

    def end(self) -> None:
        """Tell those who wait for an answer that none comes.

        What the process has asked for is still done: half a reload is none.
        """
        self.is_ready = False
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(EndedError("it has ended"))

    def _answer(self, ask: Ask) -> None:
        if self._answering is None or not isinstance(ask.word, Reload):
            return
        # The host asks for no more at once than this takes.
        self._answers.start("answer", self._told(ask.ticket, ask.word, self._answering))

    async def _told(self, ticket: int, word: Reload, answering: Answering) -> None:
        value = await answering(word)
        with suppress(OSError):
            await self._send(Answer(ticket, value))

    async def _send(self, word: Ask | Answer) -> None:
        # Whole frames: half of one would be taken for the size of the next.
        async with self._sending:
            await self._loop.sock_sendall(self._channel, frame(word))
