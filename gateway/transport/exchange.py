"""One request and its answer, held to their bounds."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from io import BytesIO
from typing import Final, Self, cast

import aiohttp
from yarl import URL

from gateway.sdk.http import HttpError, Timeouts, TooLargeError
from gateway.transport.alarm import Alarm, Alarms
from gateway.transport.faults import FAILURES, UNSENT, Phase, is_dropped, to_http_error
from gateway.transport.pool import Request, Session

_ONE_WRITE_BYTES: Final = 2**20
"""Above it aiohttp wants a file, which it writes in pieces and with back-pressure."""

_LATE: Final[Mapping[Phase, str]] = {
    "pool": "no connection became free in time",
    "connect": "no connection was made in time",
    "head": "no answer came in time",
    "body": "nothing more of the body came in time",
}


class Exchange:
    """The context manager that a request is, and the `HttpResponse` that it enters.

    Both in one object: this runs for every call the gateway makes.
    """

    __slots__ = (
        "_alarm",
        "_bounds",
        "_content",
        "_headers",
        "_is_late",
        "_is_reused",
        "_limit",
        "_may_replay",
        "_phase",
        "_request",
        "_response",
        "_session",
        "_task",
        "_transport",
        "needs_fresh",
        "status",
    )

    def __init__(
        self,
        session: Session,
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
        self._session = session
        self._request = request
        self._bounds = bounds
        self._limit = body_bytes
        self._may_replay = may_replay
        self._alarm = Alarm(alarms, self._rang, last=last)
        self._phase: Phase = "pool"
        self._is_late = False
        self._is_reused = False
        self._task: asyncio.Task[object] | None = None
        self._transport: asyncio.Transport | None = None
        self._response: aiohttp.ClientResponse | None = None
        self._content: aiohttp.StreamReader | None = None
        self._headers: Mapping[str, str] | None = None
        self.needs_fresh = False
        self.status = 0

    async def __aenter__(self) -> Self:
        """Send the request and wait for the head."""
        # A coroutine always runs in a task.
        task = self._task = cast("asyncio.Task[object]", asyncio.current_task())
        cancels = task.cancelling()
        try:
            response = await self._ask()
        except asyncio.CancelledError:
            self._abandon()
            if self._is_late:
                task.uncancel()
            if task.cancelling() > cancels:
                raise
            raise self._lateness() if self._is_late else self._closed() from None
        except FAILURES as error:
            self._abandon()
            raise self._fault(error) from None
        except BaseException:
            self._abandon()
            raise
        self._alarm.off()
        self._task = None
        self._phase = "body"
        self._response = response
        self._content = response.content
        self.status = response.status
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connection unless all of the body has come."""
        self._alarm.close()
        response = self._response
        if response is not None and response.connection is not None:
            self._abandon()
            response.close()

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, built when first asked for: most calls look at none or two."""
        if self._headers is None:
            raw = cast("aiohttp.ClientResponse", self._response).headers
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
        response = cast("aiohttp.ClientResponse", self._response)
        if (response.content_length or 0) > limit and not response.content.at_eof():
            raise TooLargeError(limit)
        pieces: list[bytes] = []
        size = 0
        while piece := await self._pull():
            size += len(piece)
            if size > limit:
                raise TooLargeError(limit)
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def __aiter__(self) -> Self:
        """Return itself: there is one body."""
        return self

    async def __anext__(self) -> bytes:
        """Return what has come since, never empty."""
        piece = await self._pull()
        if not piece:
            raise StopAsyncIteration
        return piece

    def got_place(self) -> None:
        """Hear from the pool; its wait and the connect share one bound."""
        self._phase = "connect"

    def got_connection(self, transport: asyncio.Transport | None, *, is_reused: bool) -> None:
        """Hear from the pool; from here the bound is that of the head."""
        self._phase = "head"
        self._transport = transport
        self._is_reused = is_reused
        self._alarm.within(self._bounds.first_byte)

    async def _ask(self) -> aiohttp.ClientResponse:
        if not self._alarm.within(self._bounds.connect):
            raise self._lateness()
        method, url, headers, body = self._request
        return await self._session.request(
            method,
            url,
            headers=headers,
            data=BytesIO(body) if len(body) > _ONE_WRITE_BYTES else body or None,
            allow_redirects=False,
            middlewares=(self._send,),
        )

    async def _send(
        self, req: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send once, or twice where that was allowed.

        A middleware, because aiohttp by itself sends what it takes for idempotent again: an error
        that is not its own stops that.
        """
        cast("Request", req).waiting = self  # The session makes no other kind.
        while True:
            try:
                return await handler(req)
            except FAILURES as error:
                if not self._may_replay or not self._is_reused or not is_dropped(error):
                    raise self._fault(error) from None
            self._may_replay = False
            self.needs_fresh = True
            self._phase = "pool"
            self._alarm.within(self._bounds.connect)
            with suppress(*FAILURES):
                await req.close()  # Whatever still writes the body must end first.

    async def _pull(self) -> bytes:
        """Return what has come, b"" at the end; the idle bound runs only in here."""
        if not self._alarm.within(self._bounds.idle):
            raise self._lateness()
        try:
            return await cast("aiohttp.StreamReader", self._content).readany()
        except FAILURES as error:
            raise self._fault(error) from None
        finally:
            self._alarm.off()

    def _rang(self) -> None:
        if self._content is not None:
            self._content.set_exception(self._lateness())
        elif self._task is not None:
            self._is_late = True
            self._task.cancel()

    def _abandon(self) -> None:
        """Free the socket now: a polite close waits until the peer, maybe gone, took the rest."""
        self._alarm.close()
        if self._transport is not None:
            self._transport.abort()

    def _lateness(self) -> HttpError:
        reason = "the deadline has passed" if self._alarm.is_past_last else _LATE[self._phase]
        return HttpError(
            f"{self._where()}: {reason}",
            phase=self._phase,
            unsent=self._phase in UNSENT and not self.needs_fresh,
            is_timeout=True,
        )

    def _closed(self) -> HttpError:
        return self._fault(RuntimeError())

    def _fault(self, error: Exception) -> HttpError:
        return to_http_error(error, phase=self._phase, where=self._where(), resent=self.needs_fresh)

    def _where(self) -> str:
        try:
            return str(URL(self._request[1]).origin())
        except ValueError:
            return "the URL"


def _text(value: str) -> str:
    """Return a header without the lone surrogates that aiohttp puts where bytes are not UTF-8."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
