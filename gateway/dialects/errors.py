"""The error that DynaSpark and OpenAI callers get, as a body or as a frame of a stream."""

import math

import orjson

from gateway.schema.failure import CallError


def error_body(error: CallError) -> bytes:
    """Return the JSON body that tells a caller about `error`."""
    return orjson.dumps(
        {
            "error": {
                "message": error.message,
                "type": error.type,
                "code": error.code,
                "param": error.param,
                "details": error.details,
            }
        }
    )


def error_headers(error: CallError) -> dict[str, str]:
    """Return the headers that go with `error_body`; the error's own come last and win."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if error.retry_after_s is not None:
        # Rounded up and never 0: a client that waits too short is refused again.
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    return headers | error.headers


def error_frame(error: CallError) -> bytes:
    """Return `error` as the last frame of a stream; no `[DONE]` may follow it."""
    return b"data: " + error_body(error) + b"\n\n"
