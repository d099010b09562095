"""What the stand-in says when something went wrong."""

from aiohttp import web

from gateway.schema.json import JsonObject


class UpstreamFailedError(Exception):
    """An attempt that failed, with the status that its caller gets."""

    def __init__(self, message: str, status: int = 502, retry_after: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class CallerGoneError(Exception):
    """Who asked has hung up: no fault of the upstream."""


class LedgerFullError(Exception):
    """The row of a call cannot be written; so the call has no answer."""


def refusal(status: int, message: str) -> web.Response:
    """Return an error of that status in the contract's form."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = "upstream_failed" if status >= 500 else "invalid_json"
    error: JsonObject = {"message": message, "type": kind, "code": code}
    return web.json_response({"error": {**error, "param": None, "details": {}}}, status=status)
