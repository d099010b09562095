"""What an `Accept` header says of pictures, and of tables (RFC 9110, 12.5.1)."""

import re
from typing import NamedTuple

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/avif")
"""What a picture can be sent as, the usual one first."""

_MAX_RANGES = 64
_RANGE = re.compile(r"\s*([\w!#$&^.+*-]+)/([\w!#$&^.+*-]+)\s*(?:;(.*))?", re.DOTALL)
_QUALITY = re.compile(r"(?:^|;)\s*q\s*=\s*([0-9.]{1,5})\s*(?:;|$)", re.IGNORECASE)


class _Range(NamedTuple):
    kind: str
    quality: float


def picture_type(accept: str) -> str:
    """Return what to send a picture as: JPEG whenever it may be, else what is liked best.

    A header that allows none of the four counts as none: a picture is all that there is.
    """
    ranges = _ranges(accept)
    if not ranges or _quality("image/jpeg", ranges) > 0:
        return "image/jpeg"
    liked = sorted(PICTURE_TYPES[1:], key=lambda kind: -_quality(kind, ranges))
    return liked[0] if _quality(liked[0], ranges) > 0 else "image/jpeg"


def prefers_picture(accept: str) -> bool:
    """Say whether pictures are what `accept` names first, by quality and then by place."""
    return _first(accept).startswith("image/")


def prefers_csv(accept: str) -> bool:
    """Say whether `text/csv` is what `accept` names first, as above."""
    return _first(accept) == "text/csv"


def _first(accept: str) -> str:
    """Return what is liked best, "" if nothing is."""
    ranges = sorted(_ranges(accept), key=lambda one: -one.quality)
    return ranges[0].kind if ranges and ranges[0].quality > 0 else ""


def _quality(kind: str, ranges: list[_Range]) -> float:
    """Return how much `kind` is liked; the most specific range that fits it decides."""
    said = {one.kind: one.quality for one in reversed(ranges)}
    for name in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if name in said:
            return said[name]
    return 0.0


def _ranges(accept: str) -> list[_Range]:
    found = []
    for piece in accept.split(",", _MAX_RANGES)[:_MAX_RANGES]:
        media = _RANGE.fullmatch(piece)
        if media is not None:
            kind = f"{media[1]}/{media[2]}".lower()
            found.append(_Range(kind, _number(_QUALITY.search(media[3] or ""))))
    return found


def _number(quality: re.Match[str] | None) -> float:
    try:
        return 1.0 if quality is None else min(1.0, float(quality[1]))
    except ValueError:
        return 1.0
