"""What an operator says about a key: the fields, and what may stand in them."""

import math
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, TypedDict

DEFAULT_PLAN = "default"
"""The plan of keys for which nobody named one, and of those whose plan is gone."""
MAX_NAME_CHARS: Final = 100
MAX_OWNER_CHARS: Final = 200
MAX_TAG_CHARS: Final = 64
MAX_TAGS: Final = 20
_LATEST_S = 253_402_300_799.0
"""9999-12-31T23:59:59Z: the last moment that dates can say."""
_JOINERS = "\u200c\u200d"
"""Format characters that words are written with, in Persian for one; others hide or turn text."""


class KeyFields(TypedDict, total=False):
    """Fields of a key; those that are left out stay as they are. `expires_at` is Unix time."""

    name: str
    owner: str
    tags: tuple[str, ...]
    plan: str
    expires_at: float | None


class FieldError(ValueError):
    """What `field` holds cannot be kept; the text says why, and does not repeat it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def check(fields: KeyFields, now: float) -> None:
    """Raise `FieldError` unless each of `fields` may be kept at `now`."""
    if "name" in fields:
        _check_text("name", fields["name"], 1, MAX_NAME_CHARS)
    if "owner" in fields:
        _check_text("owner", fields["owner"], 0, MAX_OWNER_CHARS)
    if "plan" in fields:
        _check_text("plan", fields["plan"], 1, MAX_NAME_CHARS)
    tags = fields.get("tags", ())
    if len(tags) > MAX_TAGS:
        raise FieldError("tags", f"a key has {MAX_TAGS} tags at most")
    for tag in tags:
        _check_text("tags", tag, 1, MAX_TAG_CHARS)
    expires_at = fields.get("expires_at")
    if expires_at is None:
        return
    if not math.isfinite(expires_at) or expires_at > _LATEST_S:
        raise FieldError("expires_at", "this is after the year 9999")
    if expires_at <= now:
        raise FieldError("expires_at", "this is over already")


def check_plan(plan: str, configured: Iterable[str]) -> None:
    """Raise `FieldError` unless `plan` is `default`, which there always is, or `configured`."""
    known = {DEFAULT_PLAN: None, **dict.fromkeys(configured)}
    if plan not in known:
        raise FieldError("plan", f"there is no such plan; known are {', '.join(known)}")


def parse_moment(text: str) -> float:
    """Return the Unix time of a date, or of a date and a time; without a zone it is UTC.

    Raises `FieldError` for anything else.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        message = "write a moment such as 2030-01-31 or 2030-01-31T12:00:00Z"
        raise FieldError("expires_at", message) from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def moment_text(moment: float | None) -> str | None:
    """Return Unix time as `2030-01-31T12:00:00Z`, None as None."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_text(field: str, text: str, least: int, most: int) -> None:
    if not least <= len(text) <= most:
        raise FieldError(field, f"write {least} to {most} characters")
    if text != text.strip():
        raise FieldError(field, "leave out the spaces around it")
    if not all(map(_may_stand, text)):
        raise FieldError(field, "leave out line breaks and other characters that are not shown")


def _may_stand(char: str) -> bool:
    # A terminal or a log that lists keys must not be told what to do by one of their names.
    category = unicodedata.category(char)
    return char in _JOINERS or not (category[0] == "C" or category in {"Zl", "Zp"})
