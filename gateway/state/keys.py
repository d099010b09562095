"""Callers' keys: their shape, what is kept of them, and how one is found."""

import hashlib
import secrets
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX = "dg-"
_SECRET_CHARS, _CHECK_CHARS = 43, 6
_KEY_CHARS = len(_PREFIX) + _SECRET_CHARS + _CHECK_CHARS
_SHOWN_CHARS = len(_PREFIX) + 6

DEFAULT_PLAN = "default"
"""The plan of keys for which nobody named one, and of those whose plan is gone."""


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key; the key itself is not. Times are Unix time in seconds.

    `digest` is the SHA-256 of the key, `prefix` its first characters, which lists show.
    """

    id: str
    digest: str
    prefix: str
    name: str
    owner: str
    tags: tuple[str, ...]
    plan: str
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    updated_at: float = 0.0

    def is_valid(self, now: float) -> bool:
        """Say whether the key may be used at `now`."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Keys(Protocol):
    """Finds keys, without waiting for anything."""

    def find(self, text: str) -> Key | None:
        """Return the key that `text` is, be it valid or expired."""

    def __iter__(self) -> Iterator[Key]:
        """Return all that are known."""


class HeldKeys:
    """Keys in memory, by their hash: how long a look-up takes says nothing of any key."""

    def __init__(self) -> None:
        self._keys: dict[str, Key] = {}

    def find(self, text: str) -> Key | None:
        """See `Keys.find`."""
        return self._keys.get(digest_of(text)) if self._keys else None

    def __iter__(self) -> Iterator[Key]:
        """See `Keys.__iter__`."""
        return iter(self._keys.values())

    def hold(self, keys: Iterable[Key]) -> None:
        """Know `keys`, and no other."""
        self._keys = {key.digest: key for key in keys}


def new_key() -> str:
    """Return a new key: 256 random bits' worth of base62 and their checksum."""
    secret = "".join(secrets.choice(_BASE62) for _ in range(_SECRET_CHARS))
    return f"{_PREFIX}{secret}{checksum(secret)}"


def digest_of(text: str) -> str:
    """Return the SHA-256 of a key, in hexadecimal; a random key needs no salt."""
    return hashlib.sha256(text.encode()).hexdigest()


def prefix_of(text: str) -> str:
    """Return as much of a key as may be shown."""
    return text[:_SHOWN_CHARS]


def is_key_shaped(text: str) -> bool:
    """Say whether `text` has the shape of our keys: `dg-`, 43 base62 characters, a checksum."""
    if len(text) != _KEY_CHARS or not text.startswith(_PREFIX) or not text.isascii():
        return False
    secret, check = text[len(_PREFIX) : -_CHECK_CHARS], text[-_CHECK_CHARS:]
    return secret.isalnum() and check == checksum(secret)


def checksum(secret: str) -> str:
    """Return the checksum that ends a key: the CRC-32 of its secret in six base62 digits."""
    number, digits = zlib.crc32(secret.encode()), ""
    for _ in range(_CHECK_CHARS):
        number, digit = divmod(number, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits
