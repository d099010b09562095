"""Callers' keys: their shape, what is kept of them, and how one is found."""

import hashlib
import secrets
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from gateway.schema.json import JsonObject
from gateway.state.key_fields import KeyFields, moment_text

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX = "dg-"
_SECRET_CHARS, _CHECK_CHARS = 43, 6
_KEY_CHARS = len(_PREFIX) + _SECRET_CHARS + _CHECK_CHARS
_SHOWN_CHARS = len(_PREFIX) + 6


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

    @property
    def counted_as(self) -> str:
        """What its calls are counted under."""
        return f"key:{self.id}"

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

    def put(self, key: Key) -> None:
        """Know `key` in place of what was known under its id; one that is revoked is forgotten."""
        old = next((held.digest for held in self._keys.values() if held.id == key.id), None)
        if old is not None:
            del self._keys[old]
        if key.revoked_at is None:
            self._keys[key.digest] = key


class KeyQuery(NamedTuple):
    """Which keys to list: those with this owner, tag and plan, where they are named.

    From the one behind the key whose id is `after`, and `limit` of them; None is all.
    """

    owner: str | None = None
    tag: str | None = None
    plan: str | None = None
    with_revoked: bool = False
    after: str | None = None
    limit: int | None = None


class KeyBookError(Exception):
    """Why a key stayed as it was."""

    def __init__(self, id_: str, reason: Literal["unknown", "revoked", "stale"]) -> None:
        super().__init__(f"{id_} is {reason}")
        self.reason = reason


class KeyBook(Protocol):
    """The keys, as their operator handles them; `StateError` where they cannot be reached.

    What changes is in force for callers of this process at once, for others' within a second.
    `seen` holds the `updated_at` of the versions that a change is meant for, None is any: what has
    changed since is `stale`. No two versions of a key have the same. None of it
    is to be cancelled.
    """

    async def create(self, fields: KeyFields) -> tuple[Key, str]:
        """Make a key; return it with its text, which nobody can ask for again.

        Raises `FieldError`; `name` must be there.
        """

    async def list(self, query: KeyQuery) -> Sequence[Key]:
        """Return the keys that are asked for, the oldest first.

        Raises `KeyBookError`, `unknown`, if there is none to begin after.
        """

    async def get(self, id_: str) -> Key | None:
        """Return the key of that id, revoked ones too."""

    async def find(self, name: str) -> Sequence[Key]:
        """Return the keys whose id or shown prefix is `name`: one, unless prefixes are alike."""

    async def change(
        self, id_: str, fields: KeyFields, *, seen: Collection[float] | None = None
    ) -> Key:
        """Change the fields that are given. Raises `FieldError` and `KeyBookError`."""

    async def rotate(self, id_: str, *, seen: Collection[float] | None = None) -> tuple[Key, str]:
        """Give the key another text; the old one ends. Raises `KeyBookError`."""

    async def revoke(self, id_: str, *, seen: Collection[float] | None = None) -> Key:
        """End the key for good; a second time changes nothing. Raises `KeyBookError`."""


def shown(key: Key, now: float) -> JsonObject:
    """Return all that may be shown of a key; its state is that of `now`."""
    state = "active" if key.is_valid(now) else "expired"
    return {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "owner": key.owner,
        "tags": list(key.tags),
        "plan": key.plan,
        "state": state if key.revoked_at is None else "revoked",
        "created_at": moment_text(key.created_at),
        "expires_at": moment_text(key.expires_at),
        "revoked_at": moment_text(key.revoked_at),
        "updated_at": moment_text(key.updated_at),
    }


def new_key() -> str:
    """Return a new key: 256 random bits' worth of base62 and their checksum."""
    secret = "".join(secrets.choice(_BASE62) for _ in range(_SECRET_CHARS))
    return f"{_PREFIX}{secret}{checksum(secret)}"


def new_id() -> str:
    """Return the id of a new key, which is no secret."""
    return f"key_{secrets.token_hex(6)}"


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
