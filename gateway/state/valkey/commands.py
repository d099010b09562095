"""Commands on their way to the server: many at once over one connection, in order, in time."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError

from gateway.state.condition import Condition
from gateway.state.valkey.server import FAILURES, REFUSALS, Server, Words, explained

ANSWER_S: Final = 0.1
"""How long an answer may take, from the moment at which its command was sent."""
_RETRY_S: Final = 0.25
_IDLE_S: Final = 1.0
"""A connection that nobody uses is tried so often: its loss is found before a call finds it."""
_BATCH, _BATCHES = 256, 4
"""What is sent together, and how often before the first answer: the server does it in 10 ms."""
_MOST_POSTED: Final = 10_000
_FAREWELL_S: Final = 0.5
_PROBE: Final[Words] = ("SET", "dynagate:probe", 1, "PX", 1000)
"""It writes, since a server that is full or only a replica answers well to everything else."""


class Down(Exception):  # noqa: N818 - a state of the server; whoever asks has a policy for it.
    """The server cannot be used now; the text says why."""


class After(Enum):
    """Whether a command without an answer is sent once more, after the connection was lost."""

    NEVER = 0
    UNSENT = 1
    """If it had not been sent: done twice it would be wrong."""
    ALWAYS = 2


class Commands:
    """Sends commands while `run` runs.

    After a failure nothing is asked of the server, so that nobody waits for it, until it does again
    what is needed; `run` tries. `on_up` is called each time when it does.
    """

    def __init__(
        self,
        server: Server,
        condition: Condition,
        part: str,
        *,
        scripts: Sequence[str] = (),
        answer_s: float = ANSWER_S,
        most_posted: int = _MOST_POSTED,
        on_up: Callable[[], None] = lambda: None,
        on_dropped: Callable[[Words], None] = lambda _: None,
    ) -> None:
        self.on_up = on_up
        self._server = server
        self._condition = condition
        self._part = part
        self._scripts: tuple[Words, ...] = tuple(("SCRIPT", "LOAD", text) for text in scripts)
        self._answer_s = answer_s
        self._most_posted = most_posted
        self._on_dropped = on_dropped
        self._waiting: deque[_Command] = deque()
        self._sent: deque[_Batch] = deque()
        self._to_send, self._to_watch = asyncio.Event(), asyncio.Event()
        self._closing, self._ended = asyncio.Event(), asyncio.Event()
        self._connection: AbstractConnection | None = None
        self._reason: str | None = "not connected yet"
        self._is_running = False

    @property
    def is_up(self) -> bool:
        """Whether the server is asked at all now."""
        return self._reason is None

    def ask(self, *words: str | bytes | int) -> "asyncio.Future[Any]":  # Any: the server's reply.
        """Send a command; what is returned is its reply, or raises `Down`. So does this itself."""
        if self._reason is not None:
            raise Down(self._reason)
        answer = asyncio.get_running_loop().create_future()
        self._put(_Command(words, answer, After.NEVER))
        return answer

    def post(self, *words: str | bytes | int, after: After) -> None:
        """Send a command whose reply nobody needs. Never waits; what is too much is dropped."""
        command = _Command(words, None, after)
        is_down = self._reason is not None and after is After.NEVER
        if is_down or len(self._waiting) >= self._most_posted:
            self._on_dropped(words)
        else:
            self._put(command)

    async def open(self) -> None:
        """Connect, if that works; raises `REFUSALS` alone."""
        try:
            await self._connect()
        except REFUSALS:
            raise
        except FAILURES as error:
            self._lost(explained(error))

    async def run(self) -> None:
        """Send what is asked and posted, and connect anew whenever that is needed, until closed."""
        self._is_running = True
        loop = asyncio.get_running_loop()
        try:
            while not self._closing.is_set():
                began = loop.time()
                if (reason := await self._use()) is None:
                    return
                self._lost(reason)
                # At once after a connection that has held: the server may only have begun anew.
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(began + _RETRY_S):
                        await self._closing.wait()
        finally:
            self._fail("closed")
            self._ended.set()

    async def aclose(self) -> None:
        """Send what is posted, if the server takes it, and end `run`."""
        self._closing.set()
        self._to_send.set()
        if self._is_running:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL_S):
                    await self._ended.wait()
        await self._disconnect()

    async def _connect(self) -> AbstractConnection:
        connection = await self._server.connect((*self._scripts, _PROBE))
        self._connection, self._reason = connection, None
        self._condition.back(self._part)
        self.on_up()
        return connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _use(self) -> str | None:
        """Connect and go on until that fails; return why, None once all is sent and closed."""
        try:
            connection = self._connection or await self._connect()
            async with asyncio.TaskGroup() as group:
                others = (self._receive(connection), self._watch())
                tasks = [group.create_task(self._told(work)) for work in others]
                await self._told(self._send(connection))
                for task in tasks:
                    task.cancel()
        except FAILURES as error:
            return explained(error)
        except BaseExceptionGroup as errors:
            failures, rest = errors.split(FAILURES)
            if rest is not None or failures is None:
                raise
            return explained(failures.exceptions[0])
        finally:
            await self._disconnect()
        return None

    async def _told(self, work: Coroutine[None, None, None]) -> None:
        """Do `work`; when it fails nobody else waits for the server, from that moment on."""
        try:
            await work
        except FAILURES as error:
            self._lost(explained(error))
            raise

    async def _send(self, connection: AbstractConnection) -> None:
        while True:
            self._to_send.clear()
            if self._waiting and len(self._sent) < _BATCHES:
                count = min(_BATCH, len(self._waiting))
                batch = [self._waiting.popleft() for _ in range(count)]
                # Whoever gave up before has nothing to be told, and nothing to be counted.
                batch = [one for one in batch if one.answer is None or not one.answer.done()]
                if not batch:
                    continue
                self._sent.append(_Batch(batch, asyncio.get_running_loop().time()))
                self._to_watch.set()
                packed = connection.pack_commands([one.words for one in batch])
                await connection.send_packed_command(packed, check_health=False)
            elif self._closing.is_set() and not self._waiting and not self._sent:
                return
            else:
                try:
                    async with asyncio.timeout(_IDLE_S):
                        await self._to_send.wait()
                except TimeoutError:
                    self.post(*_PROBE, after=After.NEVER)

    async def _receive(self, connection: AbstractConnection) -> None:
        """Hand out replies; while none is due, this is how the connection's end is found."""
        while True:
            reply = await _reply(connection)
            if not self._sent:
                msg = "a reply that nobody asked for"
                raise InvalidResponse(msg)
            batch = self._sent[0]
            trouble = self._answer(batch.commands[batch.answered], reply)
            batch.answered += 1
            batch.trouble = batch.trouble or trouble
            if batch.answered == len(batch.commands):
                self._sent.popleft()
                self._to_send.set()  # There is room for one more, and there may be none waiting.
                if batch.trouble is not None:
                    raise batch.trouble

    async def _watch(self) -> None:
        """Raise `TimeoutError` when the oldest batch has waited for its answers for too long."""
        loop = asyncio.get_running_loop()
        while True:
            self._to_watch.clear()
            if not self._sent:
                await self._to_watch.wait()
                continue
            batch = self._sent[0]
            deadline = batch.since + self._answer_s
            await asyncio.sleep(deadline - loop.time())
            if not self._sent or self._sent[0] is not batch:
                continue
            # A timer that comes late says that this process was busy, and not the server.
            if batch.is_excused or loop.time() - deadline < self._answer_s / 2:
                raise TimeoutError
            batch.is_excused, batch.since = True, loop.time()

    def _answer(self, command: "_Command", reply: object) -> ResponseError | None:
        """Hand a reply to who waits for it; return an error that is not this command's alone."""
        answer = command.answer
        if not isinstance(reply, ResponseError):
            if answer is not None and not answer.done():
                answer.set_result(reply)
            return None
        if isinstance(reply, NoScriptError) and not command.is_again:
            command.is_again = True
            again = [_Command(words, None, After.NEVER) for words in self._scripts]
            self._waiting.extendleft(reversed([*again, command]))
            self._to_send.set()
            return None
        if answer is None:
            self._on_dropped(command.words)
        elif not answer.done():
            answer.set_exception(Down(explained(reply)))
        return None if str(reply).startswith("WRONGTYPE") else reply

    def _put(self, command: "_Command") -> None:
        self._waiting.append(command)
        self._to_send.set()

    def _lost(self, reason: str) -> None:
        self._condition.lost(self._part, reason)
        self._fail(reason)

    def _fail(self, reason: str) -> None:
        """Ask nothing from now on, and keep of what waits only what can be sent later."""
        self._reason = reason
        sent = [command for batch in self._sent for command in batch.commands[batch.answered :]]
        unsent = list(self._waiting)
        self._sent.clear()
        self._waiting.clear()
        for commands, kept in ((sent, {After.ALWAYS}), (unsent, {After.UNSENT, After.ALWAYS})):
            for command in commands:
                if command.answer is None and command.after in kept:
                    self._waiting.append(command)
                elif command.answer is None:
                    self._on_dropped(command.words)
                elif not command.answer.done():
                    command.answer.set_exception(Down(reason))


@dataclass(slots=True)
class _Command:
    words: Words
    answer: "asyncio.Future[Any] | None"  # Any: the server's reply.
    after: After
    is_again: bool = False


@dataclass(slots=True)
class _Batch:
    """What was sent together; `since` is when its answers were asked for, by the loop's clock."""

    commands: list[_Command]
    since: float
    answered: int = 0
    trouble: ResponseError | None = None
    is_excused: bool = False


async def _reply(connection: AbstractConnection) -> Any:  # Any: what the server replies.
    """Return the next reply, an error as a value."""
    try:
        return await connection.read_response(timeout=math.inf, disconnect_on_error=False)
    except ResponseError as error:
        return error
