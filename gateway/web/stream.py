"""Server-sent events as a response: opened at the first byte, never silent for long."""

import asyncio
from collections.abc import Callable

from aiohttp import web

PING = b": ping\n\n"
PING_S = 15.0
_TICK_S = 0.5


class EventStream:
    """The answer to one streaming call. `headers` is asked once, when the stream opens.

    Until something is sent no status is committed, so an error can still be a proper HTTP error.
    """

    def __init__(self, request: web.Request, headers: Callable[[], dict[str, str]]) -> None:
        self._request = request
        self._headers = headers
        self._loop = asyncio.get_running_loop()
        self.last_sent = self._loop.time()
        self.response = web.StreamResponse()
        self._is_begun = False

    @property
    def is_open(self) -> bool:
        """Whether the status is out."""
        return self._is_begun

    async def send(self, data: bytes) -> None:
        """Write `data`, waiting for a slow reader; the server cuts one that does not read.

        Raises ConnectionResetError when the caller is gone.
        """
        if not self._is_begun:
            await self._open()
        await self.response.write(data)
        self.last_sent = self._loop.time()

    async def end(self) -> None:
        """Finish the response."""
        await self.response.write_eof()

    async def ping(self) -> None:
        """Say that the gateway is still there; opens the stream if need be."""
        self.last_sent = self._loop.time()
        try:
            if not self._is_begun:
                await self._open()
            await self.response.write(PING)
        except (ConnectionError, RuntimeError):
            return  # Gone, or ended in the meantime: the call's own task is told so itself.

    async def _open(self) -> None:
        self._is_begun = True
        self.response.headers.update(self._headers())
        await self.response.prepare(self._request)


class Pinger:
    """One clock for all streams: each gets a ping after `silence_s` seconds without a byte."""

    def __init__(self, start: Callable[[EventStream], None], *, silence_s: float = PING_S) -> None:
        self._start = start
        self._silence_s = silence_s
        self._streams: set[EventStream] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, stream: EventStream) -> None:
        """Watch over `stream` from now on; its silence began when it was made."""
        self._streams.add(stream)
        if self._timer is None:
            self._schedule()

    def remove(self, stream: EventStream) -> None:
        """Let go of `stream`."""
        self._streams.discard(stream)

    def _schedule(self) -> None:
        tick = min(_TICK_S, self._silence_s / 4)
        self._timer = asyncio.get_running_loop().call_later(tick, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if not self._streams:
            return
        silent_since = asyncio.get_running_loop().time() - self._silence_s
        for stream in list(self._streams):
            if stream.last_sent <= silent_since:
                self._start(stream)
        self._schedule()
