"""A feed of several processes: a stream on the server, which each reads for its own readers."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection

from gateway.state.condition import Condition
from gateway.state.feed import OnEnd, Subscription
from gateway.state.memory_feed import MemoryFeed, Place
from gateway.state.valkey.commands import After, Commands
from gateway.state.valkey.server import CONNECT_S, FAILURES, Server, ask, explained

ADD: Final = "XADD"
_FIELD: Final = b"data"
_FEWEST: Final = 1000
"""Events that the stream holds, however short the history: each process has to have read them."""
_AT_ONCE: Final = 100
_KEPT_MS: Final = 7 * 86_400_000
_WAIT_MS: Final = 500
_RETRY_S: Final = 0.25


class ValkeyFeed:
    """One process's end of the feed `name`.

    Ids are the stream's own, so any process can go on where another, or an earlier one, ended.
    `local` holds the readers of this process, and a copy of the last `events`.
    """

    def __init__(
        self,
        name: str,
        server: Server,
        commands: Commands,
        local: MemoryFeed,
        condition: Condition,
        *,
        events: int,
    ) -> None:
        self._key = f"dynagate:feed:{{{name}}}"
        self._part = f"{name} feed"
        self._server = server
        self._commands = commands
        self._local = local
        self._condition = condition
        self._events = events
        self._last: Place | None = None
        self._is_read = asyncio.Event()
        self._is_closed = False

    @property
    def is_wanted(self) -> bool:
        """Whether somebody may read: who reads at other processes is not known here."""
        return not self._is_closed

    def publish(self, data: bytes) -> None:
        """Send an event to the stream; it is dropped while the server is down, or falls behind."""
        most = max(self._events, _FEWEST)
        after = After.NEVER
        self._commands.post(ADD, self._key, "MAXLEN", most, "*", _FIELD, data, after=after)
        self._commands.post("PEXPIRE", self._key, _KEPT_MS, after=after)

    @asynccontextmanager
    async def subscribe(
        self, on_end: OnEnd, *, after: str | None = None, last: int = 0
    ) -> AsyncGenerator[Subscription]:
        """See `Feed.subscribe`; while the past has not been read, wait for it a little."""
        if not self._is_read.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(CONNECT_S):
                    await self._is_read.wait()
        async with self._local.subscribe(on_end, after=after, last=last) as subscription:
            yield subscription

    def close(self, reason: str) -> None:
        """End every reader."""
        self._is_closed = True
        self._is_read.set()
        self._local.close(reason)

    async def keep(self) -> None:
        """Read the stream until cancelled, connecting anew whenever that is needed."""
        while True:
            try:
                connection = await self._server.connect()
                try:
                    await self._read(connection)
                finally:
                    await connection.disconnect(nowait=True)
            except FAILURES as error:
                self._condition.lost(self._part, explained(error))
            await asyncio.sleep(_RETRY_S)

    async def _read(self, connection: AbstractConnection) -> None:
        async with asyncio.timeout(CONNECT_S):
            await self._catch_up(connection)
        self._condition.back(self._part)
        while True:
            ms, number = self._last or (0, 0)
            position = f"{ms}-{number}"
            async with asyncio.timeout(_WAIT_MS / 1000 + CONNECT_S):
                found = await ask(
                    connection,
                    ("XREAD", "COUNT", _AT_ONCE, "BLOCK", _WAIT_MS, "STREAMS", self._key, position),
                )
            for _, entries in found or ():
                await self._relay(entries)

    async def _catch_up(self, connection: AbstractConnection) -> None:
        """Take what the stream holds: at first as the past, later as what was missed."""
        most = self._events if self._last is None else max(self._events, _FEWEST)
        count = ("COUNT", max(most, 1))  # One is asked for where none is kept: which is the newest?
        entries = await ask(connection, ("XREVRANGE", self._key, "+", "-", *count))
        entries.reverse()
        newest = place_of(entries[-1][0].decode()) if entries else None
        if self._last is None:
            for event_id, data in _events(entries):
                self._local.recall(event_id, data)
            self._last = newest or (0, 0)
            self._is_read.set()
            return
        if newest is None or newest < self._last:
            self._last = (0, 0)  # A server that began anew, maybe with a clock that is behind.
        last = self._last
        await self._relay([one for one in entries if (place_of(one[0].decode()) or last) > last])

    async def _relay(self, entries: list[Any]) -> None:  # Any: pairs of an id and fields.
        for entry in entries:
            self._last = place_of(entry[0].decode())
            for event in _events([entry]):
                self._local.relay(*event)
            # Readers take one before the next comes: what came at once must not fill their queues.
            await asyncio.sleep(0)


def place_of(event_id: str) -> Place | None:
    """Return where the event of a stream's id stands; None for what is no such id."""
    found = re.fullmatch(r"([0-9]{1,20})-([0-9]{1,20})", event_id)
    return (int(found[1]), int(found[2])) if found else None


def _events(entries: Iterable[Any]) -> Iterable[tuple[str, bytes]]:  # Any: as above.
    """Yield id and data of what is an event: one line, or it could forge another."""
    for event_id, fields in entries:
        named = dict(zip(fields[::2], fields[1::2], strict=False)) if fields else {}
        data = named.get(_FIELD)
        if data is not None and b"\n" not in data and b"\r" not in data:
            yield event_id.decode(), data
