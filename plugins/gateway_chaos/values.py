"""The values behind the words of a model name; all raise `ValueError` saying what is wrong."""

import re

from gateway_chaos.plan import MAX_DELAY_S, MAX_WORDS


def after_colon(value: str) -> str:
    """Return what stands behind the colon that `value` must begin with."""
    colon, text = value[:1], value[1:]
    if colon != ":" or not text:
        msg = "a colon and a value are missing"
        raise ValueError(msg)
    return text


def split_after(value: str) -> tuple[str, int | None]:
    """Take a trailing `@N` off; None where there is none."""
    rest, at, number = value.partition("@")
    return rest, count(number, 0, MAX_WORDS) if at else None


def count(text: str, low: int, high: int) -> int:
    """Read a whole number, both ends included."""
    # Twelve digits at most: a longer number is out of every range, and costs time to read.
    if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
        msg = f"{text[:20]!r} is no whole number from {low} to {high}"
        raise ValueError(msg)
    return int(text)


def seconds(value: str) -> float:
    """Read a time such as `:2s` or `:100ms`."""
    text = after_colon(value)
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(ms|s)", text)
    wait_s = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else -1.0
    if not 0 <= wait_s <= MAX_DELAY_S:
        msg = f"{text[:20]!r} is no time from 0s to {MAX_DELAY_S:g}s, such as 2s or 100ms"
        raise ValueError(msg)
    return wait_s
