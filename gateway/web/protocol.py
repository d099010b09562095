"""One connection: aiohttp's, held to our bounds and answering in our own error body.

aiohttp has no deadline for headers, logs a traceback for each malformed request, leaves a handler
waiting for a body whose chunks are malformed, and never cuts a peer that does not read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestPayloadError, _ErrInfo

from gateway.schema.failure import CallError
from gateway.transport.cork import CorkedTransport
from gateway.web.last_resort import Answer, LastWord, call_error, internal_error
from gateway.web.malformed import bad_request, complaint, objection, parser_limits
from gateway.web.terms import Terms

LINGER_S = 1.0
"""How long the rest of a request is read and dropped, so that no reset overtakes the answer."""

_WRITE_BUFFER_BYTES = 64 * 1024


class Protocol(web.RequestHandler):
    """A connection that `sweep` can cut, and that refuses what `malformed` objects to."""

    __slots__ = (
        "_body",
        "_head_since",
        "_is_body_broken",
        "_is_head_begun",
        "_is_last",
        "_is_refused",
        "_stalled_since",
        "_terms",
        "_wire",
    )

    def __init__(
        self, server: web.Server, terms: Terms, *, loop: asyncio.AbstractEventLoop
    ) -> None:
        bounds = terms.bounds
        limits = parser_limits(bounds)
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=bounds.keepalive_s,
            logger=terms.logger,
            access_log=None,  # type: ignore[arg-type]  # None is its switch; the annotation lags.
            max_line_size=limits.target,
            max_field_size=limits.field,
            max_headers=bounds.headers,
            lingering_time=LINGER_S,
            auto_decompress=False,
        )
        self._terms = terms
        self._wire: CorkedTransport | None = None
        """Kept until the connection is lost; aiohttp forgets its own when it means to close."""
        self._body: StreamReader = EMPTY_PAYLOAD
        """The body of the newest request; once it has ended, what comes is the next head."""
        self._head_since: float | None = None
        self._is_head_begun = False
        self._stalled_since: float | None = None
        self._is_last = False
        self._is_refused = False
        self._is_body_broken = False

    @property
    def is_busy(self) -> bool:
        """Whether a request is being handled, its handler's clean-up included."""
        return self._request_in_progress or (
            self._waiter is None and self._task_handler is not None
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start, or abort the connection when there are too many."""
        terms = self._terms
        # cast: aiohttp serves streams only.
        wire = CorkedTransport(cast("asyncio.Transport", transport), terms.corks)
        if terms.open_connections >= terms.max_connections:
            self._manager = None  # It was never registered: `connection_lost` has nothing to undo.
            wire.abort()
            return
        terms.open_connections += 1
        self._wire = wire
        self._is_last = terms.is_draining
        self._head_since = self._loop.time()
        wire.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)
        super().connection_made(wire)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Cancel the handler, if there is one."""
        if self._wire is not None:
            self._terms.open_connections -= 1
            self._wire = None
        super().connection_lost(exc)

    def eof_received(self) -> None:
        """Take a caller that closes its half for gone; while a handler runs, at once.

        Otherwise the transport closes itself, after what is still in its buffer has been sent.
        """
        if self._wire is None:
            return
        if self._request_in_progress:
            self._wire.abort()
        else:
            self._wire.flush()

    def data_received(self, data: bytes) -> None:
        """Parse, and keep the time at which a head begins."""
        if self._is_refused:
            return
        seen = self._request_count
        is_of_body = not self._body.is_eof()
        super().data_received(data)
        if self._request_count != seen:
            self._head_since = None
            self._is_head_begun = False
            self._admit(self._request_count - seen)
        elif data and not is_of_body and not self._is_head_begun:
            self._is_head_begun = True
            if self._head_since is None:
                self._head_since = self._loop.time()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on if reading was paused: aiohttp 3.14 resumes after each piece, for nothing."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def pause_writing(self) -> None:
        """Note since when the peer does not read."""
        self._stalled_since = self._loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Forget it: the peer reads."""
        self._stalled_since = None
        super().resume_writing()

    def sweep(self, now: float) -> None:
        """Cut the connection if its peer does not read, or does not finish a head.

        A peer that still owes a head gets its 408 after the answers to earlier requests.
        """
        wire, bounds = self._wire, self._terms.bounds
        if wire is None:
            return
        if self._stalled_since is None:
            if wire.is_closing():
                self._stalled_since = now  # It closes when its buffer is sent; that has an end too.
        elif now - self._stalled_since > bounds.write_s:
            wire.abort()
            return
        if self._head_since is None or now - self._head_since <= bounds.head_s:
            return
        if self._waiter is not None and not self._waiter.done():
            self._cut()

    def close_after_response(self) -> None:
        """Make the answer to the current request the last one, and say so in its head if it can."""
        self._is_last = True
        if self._current_request is not None:
            # aiohttp derives `Connection` of streams, too, from this flag and offers no setter.
            message = self._current_request._message  # noqa: SLF001
            self._current_request._message = message._replace(should_close=True)  # noqa: SLF001

    def cancel(self) -> None:
        """Cancel the handler; what it has written is still sent."""
        if self._task_handler is not None:
            self._task_handler.cancel()

    def abort(self) -> None:
        """Drop the connection with all that is unsent."""
        if self._wire is not None:
            self._wire.abort()

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:  # Any: what async def means.
        """Return the coroutine that sends `resp`; what is no answer of ours is rendered as one."""
        if type(resp) is not web.Response:  # As most are; an abstract class asks for long.
            resp = self._as_answer(resp)
        if self._is_last:
            resp.force_close()
        if self._is_body_broken:
            return self._finish_and_linger(request, resp, start_time)
        return super().finish_response(request, resp, start_time)

    def _as_answer(self, resp: object) -> web.StreamResponse:
        if not isinstance(resp, web.StreamResponse):
            self.logger.error("a handler returned %s", type(resp).__name__)
            return Answer(internal_error(), self._terms.render_error)
        if isinstance(resp, web.HTTPException) and resp.status >= 400:  # noqa: PLR2004  # A class of statuses.
            return Answer(call_error(resp), self._terms.render_error)
        return resp

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to a request whose handler failed; the cause stands in the log only."""
        if self._wire is None and isinstance(exc, ConnectionError):
            raise exc  # The caller is gone; aiohttp ends the connection in silence.
        match exc:
            case CallError():
                error = exc
            case RequestPayloadError():
                error = bad_request("the body is malformed")
            case _:
                # aiohttp passes no `exc` for a TimeoutError; it is being handled right now, though.
                self.log_exception("a handler failed", exc_info=exc or True)
                error = internal_error()
        if request.writer.output_size > 0:
            msg = "the answer has begun: it can only be cut"
            raise ConnectionError(msg)
        answer = Answer(error, self._terms.render_error)
        answer.force_close()
        return answer

    async def _drain_helper(self) -> None:
        """Wait until the peer reads.

        A write that is given up leaves its waiter behind, cancelled, and with aiohttp's alone each
        later write would be cancelled by it.
        """
        try:
            await super()._drain_helper()
        except asyncio.CancelledError:
            self._drain_waiter = None
            raise

    def _make_error_handler(
        self, err_info: _ErrInfo
    ) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
        async def refuse(_request: web.BaseRequest) -> web.StreamResponse:
            error = err_info.exc
            if not isinstance(error, CallError):
                error = complaint(error, self._terms.bounds)
            return LastWord(error, self._terms.render_error)

        return refuse

    def _admit(self, fresh: int) -> None:
        """Look at the newest `fresh` messages of the queue before a handler can see them."""
        for index in range(len(self._messages) - fresh, len(self._messages)):
            message, payload = self._messages[index]
            if not isinstance(message, _ErrInfo):
                error = objection(message)
                if error is None:
                    self._body = payload
                    continue
            elif self._body.is_eof() or self._waiter is not None:
                error = complaint(message.exc, self._terms.bounds)
            else:
                self._break_body()
                return
            while len(self._messages) > index:
                self._messages.pop()
            # This body never ends: it makes aiohttp linger, and us drop what still comes.
            self._refuse(error, StreamReader(self, 1, loop=self._loop))
            return

    def _break_body(self) -> None:
        """Fail the read of a body that is malformed, instead of answering a second time."""
        self._messages.pop()
        self._is_refused = self._is_body_broken = True
        self._body.set_exception(RequestPayloadError("the body is malformed"))
        self._body.feed_eof()
        self.close_after_response()

    async def _finish_and_linger(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Answer, end our half, and drop what comes: aiohttp lingers only for bodies that go on."""
        result = await super().finish_response(request, resp, start_time)
        if self._wire is not None and not self._wire.is_closing():
            self._wire.write_eof()
            await asyncio.sleep(LINGER_S)  # Cancelled when the caller closes.
        return result

    def _refuse(self, error: CallError, rest: StreamReader) -> None:
        self._is_refused = True
        self._head_since = None
        self._messages.append((_ErrInfo(error.status, error, ""), rest))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _cut(self) -> None:
        if not self._is_head_begun:
            self.force_close()
            return
        took_s = self._terms.bounds.head_s
        error = CallError("request_timeout", f"the headers were not complete after {took_s:g} s")
        self._refuse(error, EMPTY_PAYLOAD)
