"""One request and its answer, held to their bounds."""

import asyncio
from collections.abc import Mapping
from math import inf
from typing import Final, Self, cast

import aiohttp
from aiohttp import hdrs
from aiohttp.http import RawResponseMessage
from yarl import URL

from gateway.sdk.http import NO_HEADERS, HttpError, Timeouts, TooLargeError
from gateway.transport.alarm import Alarm, Alarms
from gateway.transport.faults import FAILURES, UNSENT, Phase, is_dropped, to_http_error
from gateway.transport.link import Link
from gateway.transport.pool import Pool, Prepared

_LATE: Final[Mapping[Phase, str]] = {
    "pool": "no connection became free in time",
    "connect": "no connection was made in time",
    "head": "no answer came in time",
    "body": "nothing more of the body came in time",
}


class Exchange(Alarm):
    """The context manager that a request is, and the `HttpResponse` that it enters.

    Both in one object, and its own alarm: this runs for every call the gateway makes.
    """

    __slots__ = (
        "_bounds",
        "_content",
        "_headers",
        "_is_late",
        "_is_timed",
        "_limit",
        "_link",
        "_may_replay",
        "_message",
        "_needs_new",
        "_phase",
        "_pool",
        "_request",
        "_task",
        "status",
    )

    def __init__(
        self,
        pool: Pool,
        alarms: Alarms,
        request: tuple[str, str, Mapping[str, str], bytes],
        *,
        bounds: Timeouts,
        last: float,
        body_bytes: int,
        may_replay: bool = False,
    ) -> None:
        """`request` is method, URL, headers, body; `body_bytes` caps `read`.

        `last` is a reading of the loop's clock that nothing goes past.
        """
        super().__init__(alarms, last=last)
        self._pool = pool
        self._request = request
        self._bounds = bounds
        self._limit = body_bytes
        self._may_replay = may_replay
        self._is_timed = bounds.idle is not None or last < inf
        self._phase: Phase = "pool"
        self._is_late = False
        self._needs_new = False
        self._task: asyncio.Task[object] | None = None
        self._link: Link | None = None
        self._message: RawResponseMessage | None = None
        self._content = aiohttp.EMPTY_PAYLOAD
        self._headers: Mapping[str, str] | None = None
        self.status = 0

    async def __aenter__(self) -> Self:
        """Send the request and wait for the head."""
        try:
            message, content = await self._ask()
        except FAILURES as error:
            self._abandon()
            raise self._fault(error) from None
        except BaseException:
            self._abandon()
            raise
        self._phase = "body"
        # What was sent is not kept: the answer may be read for minutes.
        self._request = (*self._request[:2], NO_HEADERS, b"")
        self._message = message
        self._content = content
        self.status = message.code
        content.on_eof(self._ended)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection unless all of the body has come."""
        if self._link is not None:
            self._abandon()
            self._content.set_exception(self._fault(RuntimeError()))

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, built when first asked for: most calls look at none or two."""
        if self._headers is None:
            raw = cast("RawResponseMessage", self._message).headers
            headers: dict[str, str] = {}
            for name, value in raw.items():
                key = name.lower()
                text = value if value.isascii() else _text(value)
                headers[key] = f"{headers[key]}, {text}" if key in headers else text
            self._headers = headers
        return self._headers

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raise `TooLargeError` past `limit` or the provider's own bound."""
        limit = min(limit, self._limit)
        content = self._content
        if not content.is_eof():
            length = cast("RawResponseMessage", self._message).headers.get(hdrs.CONTENT_LENGTH)
            if length is not None and int(length) > limit:
                raise TooLargeError(limit)
        pieces: list[bytes] = []
        size = 0
        async for piece in self:
            size += len(piece)
            if size > limit:
                raise TooLargeError(limit)
            pieces.append(piece)
            if content.at_eof():
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def __aiter__(self) -> Self:
        """Return itself: there is one body."""
        return self

    async def __anext__(self) -> bytes:
        """Return what has come since, never empty; the idle bound runs only in here."""
        if self._content.at_eof():
            raise StopAsyncIteration
        try:
            piece = await (self._in_time() if self._is_timed else self._content.readany())
        except FAILURES as error:
            raise self._fault(error) from None
        if not piece:
            raise StopAsyncIteration
        return piece

    def ring(self) -> None:
        """Give up: a bound has passed."""
        if self._phase == "body":
            self._content.set_exception(self._lateness())
        elif self._task is not None:
            self._is_late = True
            self._task.cancel()
        elif self._link is not None:
            self._link.fail(self._lateness())

    async def _ask(self) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        """Send once, or twice where that was allowed."""
        method, url, headers, body = self._request
        prepared = self._pool.prepare(method, url, headers)
        is_timed = self._bounds.first_byte is not None or self._last < inf
        while True:
            link = None if self._needs_new else self._pool.reuse(prepared.origin)
            if link is None:
                link = await self._connected(prepared)
            self._link = link
            if is_timed and not self.within(self._bounds.first_byte):
                raise self._lateness()
            self._phase = "head"
            try:
                link.send(prepared.head, method, body)
                return await link.answer()
            except FAILURES as error:
                if not self._may_replay or not link.is_reused or not is_dropped(error):
                    raise
            finally:
                if is_timed:
                    self.off()
            self._may_replay = False
            self._needs_new = True
            self._phase = "pool"
            self._abandon()

    async def _connected(self, prepared: Prepared) -> Link:
        """Wait for a place and a connection, which share one bound."""
        if not self.within(self._bounds.connect):
            raise self._lateness()
        # A coroutine always runs in a task.
        task = self._task = cast("asyncio.Task[object]", asyncio.current_task())
        cancels = task.cancelling()
        try:
            await self._pool.wait_for_place()
            self._phase = "connect"
            self._link = await self._pool.connect(prepared.origin, is_new=self._needs_new)
        except asyncio.CancelledError:
            if task.cancelling() > cancels + self._is_late:
                raise
            if not self._is_late:
                # aiohttp cancelled a look-up, as it was closed.
                raise self._fault(RuntimeError()) from None
        except FAILURES:
            if not self._is_late:
                raise
        finally:
            self._task = None
            self.off()
            if self._is_late:
                task.uncancel()  # Also where aiohttp made another error of it, or none.
        if self._is_late:
            raise self._lateness()
        return cast("Link", self._link)

    async def _in_time(self) -> bytes:
        """Return what has come, b"" at the end."""
        if not self.within(self._bounds.idle):
            raise self._lateness()
        try:
            return await self._content.readany()
        finally:
            self.off()

    def _ended(self) -> None:
        """Give the connection back: the whole body has come."""
        link = self._link
        if link is not None:
            self._link = None
            self._pool.release(link)

    def _abandon(self) -> None:
        link = self._link
        if link is not None:
            self._link = None
            self._pool.discard(link)

    def _lateness(self) -> HttpError:
        reason = "the deadline has passed" if self.is_past_last else _LATE[self._phase]
        return HttpError(
            f"{self._where()}: {reason}",
            phase=self._phase,
            unsent=self._phase in UNSENT and not self._needs_new,
            is_timeout=True,
        )

    def _fault(self, error: Exception) -> HttpError:
        return to_http_error(error, phase=self._phase, where=self._where(), resent=self._needs_new)

    def _where(self) -> str:
        try:
            return str(URL(self._request[1]).origin())
        except ValueError:
            return "the URL"


def _text(value: str) -> str:
    """Return a header without the lone surrogates that aiohttp puts where bytes are not UTF-8."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
