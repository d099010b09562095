"""Secrets stay out of what people read."""

import pytest

from gateway.telemetry.redact import Redactor


def test_known_secrets_are_replaced_wherever_they_stand() -> None:
    redact = Redactor(["canary-secret", "canary-secret-longer"])

    said = redact("a canary-secret-longer b:canary-secret/c")

    assert said == "a [redacted] b:[redacted]/c"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdef0123",
        "bearer abcdef0123",
        "https://host/path?key=abcdef0123&x=1",
        "/p?a=1&api_key=abcdef0123",
        "Incorrect API key provided: sk-abcdef0123456.",
        "dg-abcdef0123456789",
    ],
)
def test_what_looks_like_a_key_is_replaced_unknown_or_not(text: str) -> None:
    assert "abcdef0123" not in Redactor([])(text)


def test_ordinary_words_stay() -> None:
    text = "the task-based risk-free ask of a bearer bond, key=value"

    assert Redactor(["", "short"])(text) == text


def test_secrets_of_a_new_file_are_known_and_the_newest_of_the_old_ones_too() -> None:
    redact = Redactor(["first-secret"])

    for number in range(300):
        redact.learn([f"secret-{number:04d}-x"])

    assert redact("secret-0299-x secret-0200-x") == "[redacted] [redacted]"
    assert redact("first-secret") == "first-secret"
