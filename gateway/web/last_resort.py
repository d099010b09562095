"""Answers that the application did not make: to what failed, or never became a request."""

from aiohttp import web

from gateway.schema.failure import CallError
from gateway.web.terms import RenderError

_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


class Answer(web.Response):
    """A rendered error."""

    def __init__(self, error: CallError, render_error: RenderError) -> None:
        status, headers, body = render_error(error)
        super().__init__(status=status, headers=headers, body=body)


class LastWord(Answer):
    """An error that ends our half of the connection, so that its reader need not wait for more."""

    def __init__(self, error: CallError, render_error: RenderError) -> None:
        super().__init__(error, render_error)
        self.force_close()
        # aiohttp answers what was no request in HTTP/1.0 and leaves this one out.
        self.headers["Connection"] = "close"

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the body and FIN."""
        transport = None if self._req is None else self._req.transport
        await super().write_eof(data)
        if transport is not None and not transport.is_closing():
            transport.write_eof()


def internal_error() -> CallError:
    """Return what a caller is told of a bug: nothing of its cause."""
    return CallError("internal_error", "the gateway failed on this request; its log says why")


def call_error(failed: web.HTTPException) -> CallError:
    """Translate what aiohttp raises itself, without its text: that may repeat the request."""
    if failed.status >= 500:  # noqa: PLR2004  # The class of statuses, by its name.
        return internal_error()
    headers = {"Allow": failed.headers["Allow"]} if "Allow" in failed.headers else {}
    code = _CODES.get(failed.status, "bad_request")
    return CallError(code, code.replace("_", " "), headers=headers)
