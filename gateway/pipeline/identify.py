"""Step 1: who calls."""

import logging
import zlib
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from gateway.schema.failure import CallError

_log = logging.getLogger("dynagate.identify")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PREFIX = "dg-"
_SECRET_CHARS, _CHECK_CHARS = 43, 6
_KEY_CHARS = len(_PREFIX) + _SECRET_CHARS + _CHECK_CHARS


class Presented(NamedTuple):
    """What a request says of its sender; `secrets` stand in the order in which they count."""

    address: str
    forwarded_for: str = ""
    secrets: tuple[str, ...] = ()


class Caller(NamedTuple):
    """Who is counted: `key` is what limits are kept under, `address` what the log may say."""

    key: str
    address: str
    is_anonymous: bool = True


class Identifier:
    """Finds the caller of a request, behind the proxies that are trusted."""

    def __init__(self, trusted_proxies: Sequence[IPv4Network | IPv6Network]) -> None:
        self._trusted = tuple(trusted_proxies)
        self._bucket = lru_cache(maxsize=4096)(bucket_of)
        self._is_hint_given = False

    def identify(self, presented: Presented) -> Caller:
        """Return the caller.

        A string of our keys' shape must be a key of ours: 401 `invalid_api_key` if it is not. Any
        other is what SDKs insist on sending, and changes nothing.
        """
        for secret in presented.secrets:
            if is_key_shaped(secret):
                raise CallError(
                    "invalid_api_key",
                    "this key is unknown, revoked or expired; leave it out to call anonymously",
                    param="api_key",
                )
        address = presented.address
        if presented.forwarded_for:
            address = self._behind_proxies(address, presented.forwarded_for)
        return Caller(self._bucket(address), address)

    def is_trusted(self, address: str) -> bool:
        """Say whether `address` is a proxy whose forwarding headers count."""
        if not self._trusted:
            return False
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._trusted)

    def _behind_proxies(self, peer: str, forwarded_for: str) -> str:
        # Read from the right: only what a trusted proxy appended counts, and the first address that
        # is none of them is the caller.
        address = peer
        if not self._is_hint_given and not self.is_trusted(peer):
            self._is_hint_given = True
            _log.warning(
                "%s sent X-Forwarded-For, which is ignored; if it is your proxy, write "
                "server.trusted_proxies: [%s]",
                peer,
                peer,
            )
        for hop in reversed(forwarded_for.split(",")):
            if not self.is_trusted(address):
                break
            if _parse(hop.strip()) is None:
                break
            address = hop.strip()
        return address


def bucket_of(address: str) -> str:
    """Return what callers of `address` are counted under: itself, for IPv6 its /64.

    An IPv4 address mapped into IPv6 is the IPv4 address.
    """
    parsed = _parse(address)
    if parsed is None:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, 64), strict=False))
    return str(parsed)


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


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
