"""Whether somebody has the operator's secret."""

from hashlib import sha256
from hmac import compare_digest


def is_secret(given: str, secret: str) -> bool:
    """Say whether `given` is `secret`, taking as long for any; an empty one is nobody's."""
    return bool(secret) and compare_digest(_digest(given), _digest(secret))


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()
