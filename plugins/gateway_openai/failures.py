"""What an upstream's refusal means, in failure classes.

Source: OpenAI's error codes guide, and the shapes compatible hosts send instead.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject, read_object
from gateway.schema.wires import error_message
from gateway.sdk import HttpError, UpstreamError

_CONTEXT = re.compile(
    r"context[ _](length|window|size)|maximum context|too many tokens|prompt is too long"
    r"|exceed_context",
    re.IGNORECASE,
)
_UNSUPPORTED = re.compile(r"not support|unsupported|does not accept image", re.IGNORECASE)
_QUOTA_CODES = {"insufficient_quota", "billing_hard_limit_reached", "credits_exhausted"}


def refusal(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None
) -> UpstreamError:
    """Return the error for an answer whose status is not 2xx."""
    document = read_object(body) or {}
    error = document.get("error")
    code = str(error.get("code") or error.get("type") or "") if isinstance(error, dict) else ""
    param = error.get("param") if isinstance(error, dict) else None
    message = error_message(document) or f"status {status}"
    return UpstreamError(
        _failure(status, code, message),
        message,
        status=status,
        retry_after=retry_after_s(headers, now=now or datetime.now(UTC)),
        param=param if isinstance(param, str) else None,
    )


def error_in_stream(document: JsonObject) -> UpstreamError:
    """Return the error for a body or chunk that is one although the status was 200."""
    error = document.get("error")
    code = str(error.get("code") or error.get("type") or "") if isinstance(error, dict) else ""
    status = int(code) if re.fullmatch(r"[45]\d\d", code) else 500
    if code in {"rate_limit_exceeded", "rate_limit_error"}:
        status = 429
    elif code == "invalid_request_error":
        status = 400
    message = error_message(document) or "an error without words"
    return UpstreamError(_failure(status, code, message), message, status=status)


def unreachable(error: HttpError) -> UpstreamError:
    """Return the error for a request that got no usable answer."""
    failure = Failure.TIMEOUT if error.is_timeout else Failure.TRANSIENT
    return UpstreamError(failure, str(error))


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return the seconds to wait that `headers` ask for, never negative.

    Takes OpenAI's `retry-after-ms` and both forms of `Retry-After` (RFC 9110, 10.2.3); anything
    else is None.
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value):
            return float(value) / scale
    try:
        until = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return max(0.0, (until.astimezone(UTC) - now).total_seconds())


_PLAIN = MappingProxyType(
    {
        401: Failure.CREDENTIAL,
        402: Failure.QUOTA,
        404: Failure.MODEL_GONE,
        407: Failure.CREDENTIAL,
        408: Failure.TIMEOUT,
        409: Failure.TRANSIENT,
        504: Failure.TIMEOUT,
    }
)
_SERVER_ERRORS = range(500, 600)


def _failure(status: int, code: str, message: str) -> Failure:
    match status:
        case 400 | 413 | 422:
            if code == "context_length_exceeded" or _CONTEXT.search(f"{code} {message}"):
                return Failure.CONTEXT_LENGTH
            return Failure.UNSUPPORTED if _UNSUPPORTED.search(message) else Failure.CALLER_FAULT
        case 403:
            return Failure.REGION_BLOCKED if "country" in code else Failure.MODEL_ACCESS
        case 429:
            return Failure.QUOTA if code in _QUOTA_CODES else Failure.RATE_LIMIT
        case _:  # Statuses are an open set.
            other = Failure.TRANSIENT if status in _SERVER_ERRORS else Failure.UNKNOWN
            return _PLAIN.get(status, other)
