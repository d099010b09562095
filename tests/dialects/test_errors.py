"""The error body, its headers and its frame."""

import json

import pytest

from gateway.dialects.errors import error_body, error_frame, error_headers
from gateway.schema.failure import CODES, CallError


def test_the_body_is_the_contracts() -> None:
    error = CallError(
        "rate_limit_exceeded",
        "Rate limit exceeded. Try again in 60 seconds.",
        details={"reset_time": "2024-01-01T00:01:00Z"},
        retry_after_s=60,
    )

    body = json.loads(error_body(error))

    assert body == {
        "error": {
            "message": "Rate limit exceeded. Try again in 60 seconds.",
            "type": "rate_limit_error",
            "code": "rate_limit_exceeded",
            "param": None,
            "details": {"reset_time": "2024-01-01T00:01:00Z"},
        }
    }


@pytest.mark.parametrize("code", CODES)
def test_every_code_renders_with_empty_details(code: str) -> None:
    body = json.loads(error_body(CallError(code, "why: ü", param="p")))

    assert body["error"] == {
        "message": "why: ü",
        "type": CODES[code][1],
        "code": code,
        "param": "p",
        "details": {},
    }


def test_errors_are_json_that_nobody_stores() -> None:
    headers = error_headers(CallError("not_found", "no"))

    assert headers == {"Content-Type": "application/json", "Cache-Control": "no-store"}


@pytest.mark.parametrize(("wait_s", "header"), [(0.0, "1"), (0.2, "1"), (9.01, "10"), (60, "60")])
def test_the_time_to_wait_is_whole_seconds_rounded_up(wait_s: float, header: str) -> None:
    error = CallError("unavailable", "later", retry_after_s=wait_s)

    assert error_headers(error)["Retry-After"] == header


def test_an_error_adds_its_own_headers() -> None:
    error = CallError("method_not_allowed", "use GET", headers={"Allow": "GET"})

    assert error_headers(error)["Allow"] == "GET"


def test_a_frame_is_one_line_of_data() -> None:
    error = CallError("upstream_failed", "two\nlines")

    frame = error_frame(error)

    assert frame == b"data: " + error_body(error) + b"\n\n"
    assert frame.count(b"\n") == 2
