"""How the tests read a feed: over a bare socket, frame by frame."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.contract.asking import Asker
from tests.web.raw_http import Caller as RawCaller

TEXT, IMAGE = "/api/text/feed", "/api/image/feed"


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it came."""

    id: str
    data: bytes

    def json(self) -> Any:  # Any: what the event holds.
        """Return the data as JSON."""
        return json.loads(self.data)


class Reader:
    """Somebody who reads a feed."""

    def __init__(self, wire: RawCaller) -> None:
        self.wire = wire

    async def frame(self) -> bytes:
        """Return the next frame or comment; it came in one chunk."""
        chunk = await self.wire.until(b"\n\n")
        size, _, frame = chunk.lstrip(b"\r\n").partition(b"\r\n")
        assert int(size, 16) == len(frame), chunk
        return frame

    async def event(self) -> Event:
        """Return the next event, which must be one of ours to the letter; pings may precede it."""
        while (frame := await self.frame()) == b": ping\n\n":
            pass
        lines = frame.decode().split("\n")
        assert len(lines) == 4, frame
        assert lines[0].startswith("id: "), frame
        assert lines[1].startswith("data: {"), frame
        return Event(lines[0][4:], lines[1][6:].encode())


@asynccontextmanager
async def read(
    caller: Asker, path: str = TEXT, *, held_bytes: int = 1 << 20, **headers: str
) -> AsyncGenerator[Reader]:
    """Open a feed; what comes first has been read.

    A reader that does not read holds no more than twice `held_bytes`, and what its kernel does.
    """
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    stream = await asyncio.open_connection(
        "127.0.0.1", caller.gateway.public.port, limit=held_bytes
    )
    wire = RawCaller(*stream)
    try:
        await wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{named}\r\n".encode())
        head = await wire.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        reader = Reader(wire)
        assert await reader.frame() == b"retry: 3000\n\n"
        yield reader
    finally:
        wire.abort()
