"""Step 1: who calls."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from gateway.schema.failure import CallError
from gateway.sdk.clock import SystemClock
from gateway.sdk.providers import Clock
from gateway.state.keys import HeldKeys, Key, Keys, is_key_shaped

_log = logging.getLogger("dynagate.identify")


class Presented(NamedTuple):
    """What a request says of its sender; `secrets` stand in the order in which they count."""

    address: str
    forwarded_for: str = ""
    secrets: tuple[str, ...] = ()

    @property
    def key(self) -> str | None:
        """The first that has the shape of our keys: whoever sends one is not anonymous."""
        return next(filter(is_key_shaped, self.secrets), None)


class Caller(NamedTuple):
    """Who is counted: `key` is what limits are kept under, `address` what the log may say.

    `held` is the key that was presented, None for anonymous callers.
    """

    key: str
    address: str
    held: Key | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether the caller came without a key."""
        return self.held is None


class Identifier:
    """Finds the caller of a request, behind the proxies that are trusted.

    With `demands_key` nobody is anonymous.
    """

    def __init__(
        self,
        trusted_proxies: Sequence[IPv4Network | IPv6Network],
        *,
        keys: Keys | None = None,
        clock: Clock | None = None,
        demands_key: bool = False,
    ) -> None:
        self._trusted = tuple(trusted_proxies)
        self._keys = keys or HeldKeys()
        self._clock = clock or SystemClock()
        self.demands_key = demands_key
        self._bucket = lru_cache(maxsize=4096)(bucket_of)
        self._is_hint_given = False

    def identify(self, presented: Presented) -> Caller:
        """Return the caller.

        A string of our keys' shape must be a valid key: 401 `invalid_api_key` if it is not. Any
        other is what SDKs insist on sending, and changes nothing, unless a key is demanded.
        """
        held = None
        if presented.secrets and (text := presented.key) is not None:
            held = self._keys.find(text)
            if held is None or not held.is_valid(self._clock.now().timestamp()):
                raise self._invalid()
        elif self.demands_key:
            if any(presented.secrets):
                raise self._invalid()
            raise CallError(
                "key_required", "send a key as Authorization: Bearer dg-…", param="api_key"
            )
        address = presented.address
        if presented.forwarded_for:
            address = self._behind_proxies(address, presented.forwarded_for)
        if held is not None:
            return Caller(held.counted_as, address, held)
        return Caller(self._bucket(address), address)

    def _invalid(self) -> CallError:
        message = "this key is unknown, revoked or expired"
        if not self.demands_key:
            message += "; leave it out to call anonymously"
        return CallError("invalid_api_key", message, param="api_key")

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


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
