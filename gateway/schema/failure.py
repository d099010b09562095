"""What can go wrong: classes for policy to read, and errors that a caller is told.

The codes and their statuses are the contract's; only dialects turn a `CallError` into bytes.
"""

from enum import StrEnum
from typing import Any, Literal

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "rate_limit_error",
    "server_error",
]


class Failure(StrEnum):
    """Why an attempt failed. Policy reads this, never a message."""

    CREDENTIAL = "credential"
    """The operator's key is wrong, expired or without funds for good."""
    MODEL_ACCESS = "model_access"
    """The key may not use this model."""
    QUOTA = "quota"
    """The operator's paid quota is used up."""
    MODEL_GONE = "model_gone"
    """The upstream does not know the model (any more)."""
    REGION_BLOCKED = "region_blocked"
    """The upstream does not serve the operator's country."""
    RATE_LIMIT = "rate_limit"
    """Too many calls for now; `retry_after` says for how long, if the upstream did."""
    CALLER_FAULT = "caller_fault"
    """The request is wrong wherever it goes, unless context or a capability is what is missing."""
    CONTEXT_LENGTH = "context_length"
    """The conversation is too long for this target; another may take it."""
    UNSUPPORTED = "unsupported"
    """This target lacks a feature or a range; another may have it."""
    NOT_READY = "not_ready"
    """The provider cannot serve yet, for a reason that the caller may read: weights not here."""
    TIMEOUT = "timeout"
    """The target did not answer in time."""
    TRANSIENT = "transient"
    """Broken connection, 5xx, an answer that cannot be read, an empty answer."""
    UNKNOWN = "unknown"
    """Anything else, a bug of the provider included."""


_INVALID: ErrorType = "invalid_request_error"
_SERVER: ErrorType = "server_error"
_RATE: ErrorType = "rate_limit_error"

CODES: dict[str, tuple[int, ErrorType]] = {
    "missing_parameter": (400, _INVALID),
    "invalid_parameter": (400, _INVALID),
    "invalid_json": (400, _INVALID),
    "unsupported_feature": (400, _INVALID),
    "upstream_rejected": (400, _INVALID),
    "context_length_exceeded": (400, _INVALID),
    "content_filter": (400, _INVALID),
    "bad_request": (400, _INVALID),
    "invalid_configuration": (400, _INVALID),
    "invalid_api_key": (401, "authentication_error"),
    "key_required": (401, "authentication_error"),
    "model_not_allowed": (403, "permission_error"),
    "origin_not_allowed": (403, "permission_error"),
    "admin_off": (403, "permission_error"),
    "model_not_found": (404, _INVALID),
    "not_found": (404, _INVALID),
    "method_not_allowed": (405, _INVALID),
    "request_timeout": (408, _INVALID),
    "conflict": (409, _INVALID),
    "idempotency_key_reused": (409, _INVALID),
    "expired": (410, _INVALID),
    "version_stale": (412, _INVALID),
    "too_large": (413, _INVALID),
    "uri_too_long": (414, _INVALID),
    "unsupported_media_type": (415, _INVALID),
    "wrong_host": (421, _INVALID),
    "version_required": (428, _INVALID),
    "headers_too_large": (431, _INVALID),
    "rate_limit_exceeded": (429, _RATE),
    "concurrency_limit_exceeded": (429, _RATE),
    "insufficient_quota": (429, _RATE),
    "upstream_rate_limited": (429, _RATE),
    "internal_error": (500, _SERVER),
    "no_database": (501, _SERVER),
    "upstream_failed": (502, _SERVER),
    "unavailable": (503, _SERVER),
    "deadline_exceeded": (504, _SERVER),
}
"""Every code a caller can be told, with its HTTP status and type."""


class CallError(Exception):
    """An error for the caller: a `code` of `CODES`, what happened, and what to do about it.

    `param` is the name of the offending parameter, `retry_after_s` whole seconds (rounded up when
    rendered), `headers` what the answer must carry besides (`Allow`, for one).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        details: dict[str, Any] | None = None,  # Any: JSON values.
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
        failure: Failure | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status, self.type = CODES[code]
        self.message = message
        self.param = param
        self.details = details or {}
        self.retry_after_s = retry_after_s
        self.headers = headers or {}
        self.failure = failure


def again(error: CallError) -> CallError:
    """Return the same error, to be raised in another task: each gathers a traceback of its own."""
    return CallError(
        error.code,
        error.message,
        param=error.param,
        details=error.details,
        retry_after_s=error.retry_after_s,
        headers=error.headers,
        failure=error.failure,
    )
