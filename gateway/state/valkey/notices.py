"""Notices between processes, over a stream on the server that each of them reads."""

import asyncio
import secrets
from collections.abc import Iterable
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection

from gateway.state.condition import Condition
from gateway.state.notices import Hear
from gateway.state.valkey.commands import After, Commands
from gateway.state.valkey.feed import ADD, place_of
from gateway.state.valkey.server import CONNECT_S, FAILURES, Server, ask, explained

_FROM: Final = b"from"
_DATA: Final = b"data"
_MOST: Final = 1000
"""Notices that the stream holds."""
_KEPT_MS: Final = 86_400_000
_WAIT_MS: Final = 500
_RETRY_S: Final = 0.25


class ValkeyNotices:
    """One process's end of the notices called `name`. Its own are not heard again."""

    def __init__(self, name: str, server: Server, commands: Commands, condition: Condition) -> None:
        self._key = f"dynagate:notices:{{{name}}}"
        self._part = f"{name} notices"
        self._server = server
        self._commands = commands
        self._condition = condition
        self._process = secrets.token_hex(6).encode()
        self._last = (0, 0)

    def send(self, notice: bytes) -> None:
        """See `Notices.send`."""
        named = (_FROM, self._process, _DATA, notice)
        self._commands.post(ADD, self._key, "MAXLEN", _MOST, "*", *named, after=After.NEVER)
        self._commands.post("PEXPIRE", self._key, _KEPT_MS, after=After.NEVER)

    async def keep(self, hear: Hear) -> None:
        """See `Notices.keep`: connects anew whenever that is needed."""
        while True:
            try:
                connection = await self._server.connect()
                try:
                    await self._read(connection, hear)
                finally:
                    await connection.disconnect(nowait=True)
            except FAILURES as error:
                self._condition.lost(self._part, explained(error))
            await asyncio.sleep(_RETRY_S)

    async def _read(self, connection: AbstractConnection, hear: Hear) -> None:
        async with asyncio.timeout(CONNECT_S):
            entries = await ask(connection, ("XREVRANGE", self._key, "+", "-", "COUNT", _MOST))
            seconds, micros = await ask(connection, ("TIME",))
        entries.reverse()
        newest = place_of(entries[-1][0].decode()) if entries else None
        if newest is None or newest < self._last:
            self._last = (0, 0)  # A server that began anew, maybe with a clock that is behind.
        self._condition.back(self._part)
        self._relay(entries, hear, int(seconds) * 1000 + int(micros) // 1000)
        while True:
            ms, number = self._last
            position = f"{ms}-{number}"
            async with asyncio.timeout(_WAIT_MS / 1000 + CONNECT_S):
                found = await ask(
                    connection,
                    ("XREAD", "COUNT", _MOST, "BLOCK", _WAIT_MS, "STREAMS", self._key, position),
                )
            for _, new in found or ():
                self._relay(new, hear, None)

    def _relay(
        self,
        entries: Iterable[Any],  # Any: pairs of an id and fields.
        hear: Hear,
        now_ms: int | None,
    ) -> None:
        """Tell of what has not been heard; without `now_ms` it has just been sent."""
        for name, fields in entries:
            place = place_of(name.decode())
            if place is None or place <= self._last:
                continue
            self._last = place
            named = dict(zip(fields[::2], fields[1::2], strict=False)) if fields else {}
            if named.get(_FROM) != self._process and _DATA in named:
                age_s = 0.0 if now_ms is None else max(0, now_ms - place[0]) / 1000
                hear(named[_DATA], age_s)
