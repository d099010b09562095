"""What `kind: openai` takes, and what a host's refusal means."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import orjson
import pytest
from pydantic import ValidationError

from gateway.schema.failure import Failure
from gateway.sdk import HttpError
from gateway_openai.failures import error_in_stream, refusal, retry_after_s, unreachable
from gateway_openai.hosts import hosts
from gateway_openai.settings import OpenAISettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_every_known_host_is_a_url_without_a_trailing_slash() -> None:
    rows = hosts()

    assert {"openai", "groq", "ollama", "vllm"} <= rows.keys()
    assert all(row.base_url.startswith("http") and row.base_url[-1] != "/" for row in rows.values())


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({}, "base_url"),
        ({"host": "nowhere"}, "unknown host"),
        ({"base_url": "ftp://x"}, "http or https"),
        ({"base_url": "http://x", "headers": {"x y": "1"}}, "no header"),
        ({"base_url": "http://x", "headers": {"x": "a\r\nb: c"}}, "no header"),
        ({"base_url": "http://x", "key": "1"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        OpenAISettings.model_validate(settings)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"host": "openai"}, "openai needs an api_key"),
        ({"host": "openai", "api_key": ""}, "its api_key is empty"),
        ({"host": "openai", "api_key": "sk-x"}, None),
        ({"host": "ollama"}, None),
        ({"base_url": "http://127.0.0.1:9/v1"}, None),
        ({"base_url": "http://127.0.0.1:9/v1", "api_key": ""}, "its api_key is empty"),
    ],
)
def test_a_key_is_missed_where_one_is_needed(settings: dict[str, str], missing: str | None) -> None:
    assert OpenAISettings.model_validate(settings).missing() == missing


def test_secrets_are_listed_and_never_printed() -> None:
    settings = OpenAISettings.model_validate(
        {"base_url": "http://x/v1/", "api_key": "sk-canary", "headers": {"X-Key": "canary-2"}}
    )

    assert sorted(settings.secrets()) == ["canary-2", "sk-canary"]
    assert "canary" not in repr(settings)
    assert settings.row().base_url == "http://x/v1"


@pytest.mark.parametrize(
    ("status", "error", "failure"),
    [
        (400, {"code": "context_length_exceeded"}, Failure.CONTEXT_LENGTH),
        (400, {"message": "This model's maximum context length is 10"}, Failure.CONTEXT_LENGTH),
        (413, {"message": "prompt is too long"}, Failure.CONTEXT_LENGTH),
        (400, {"message": "image input is not supported"}, Failure.UNSUPPORTED),
        (400, {"message": "bad temperature"}, Failure.CALLER_FAULT),
        (422, {"message": "bad temperature"}, Failure.CALLER_FAULT),
        (401, {}, Failure.CREDENTIAL),
        (402, {}, Failure.QUOTA),
        (403, {"code": "unsupported_country_region_territory"}, Failure.REGION_BLOCKED),
        (403, {}, Failure.MODEL_ACCESS),
        (404, {}, Failure.MODEL_GONE),
        (407, {}, Failure.CREDENTIAL),
        (408, {}, Failure.TIMEOUT),
        (429, {}, Failure.RATE_LIMIT),
        (429, {"code": "insufficient_quota"}, Failure.QUOTA),
        (302, {}, Failure.UNKNOWN),
        (500, {}, Failure.TRANSIENT),
        (503, {}, Failure.TRANSIENT),
        (504, {}, Failure.TIMEOUT),
    ],
)
def test_a_refusal_means_what_its_status_and_code_say(
    status: int, error: dict[str, str], failure: Failure
) -> None:
    raised = refusal(status, {"retry-after": "7"}, orjson.dumps({"error": error}))

    assert (raised.failure, raised.status, raised.retry_after) == (failure, status, 7.0)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"error": null}', b'{"error": [1]}'])
def test_a_refusal_without_words_has_the_status_at_least(body: bytes) -> None:
    assert refusal(500, {}, body).message


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("rate_limit_exceeded", Failure.RATE_LIMIT),
        ("429", Failure.RATE_LIMIT),
        ("invalid_request_error", Failure.CALLER_FAULT),
        ("server_error", Failure.TRANSIENT),
        ("", Failure.TRANSIENT),
    ],
)
def test_an_error_inside_a_200_is_read_by_its_code(code: str, failure: Failure) -> None:
    assert error_in_stream({"error": {"code": code, "message": "why"}}).failure is failure


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=9), usegmt=True)}, 9.0),
        ({"retry-after": format_datetime(NOW - timedelta(seconds=9), usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({}, None),
    ],
)
def test_both_forms_of_retry_after_are_seconds(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_s(headers, now=NOW) == seconds


@pytest.mark.parametrize("is_timeout", [True, False])
def test_what_cannot_be_reached_is_late_or_broken(*, is_timeout: bool) -> None:
    error = HttpError("http://host: why", phase="head", unsent=False, is_timeout=is_timeout)

    assert unreachable(error).failure is (Failure.TIMEOUT if is_timeout else Failure.TRANSIENT)
