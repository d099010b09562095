"""Which addresses a caller's URL may lead to.

Decided where the socket is made: literals, names, redirects and names that change their mind all
end there. A resolver alone is not enough, aiohttp asks none for literals.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from gateway.sdk.http import HttpError

REFUSED: Final = "the address is not one that may be fetched"
"""Has no address: a caller might not know what a private name resolves to."""

PORTS: Final = frozenset({80, 443})

_ENTRY = re.compile(
    r"\[(?P<bracketed>[^\]]+)\](?::(?P<port6>\d{1,5}))?|(?P<v4>[^:]+):(?P<port4>\d{1,5})|(?P<bare>.+)"
)
_MAX_PORT = 65535

# `is_global` says yes to these, in some or all Pythons: it reads IANA's registry, which describes
# what may be routed, not what lies behind a translator or a cloud's own fabric.
_NOT_PUBLIC: Final = tuple(
    ip_network(block)
    for block in (
        "168.63.129.16/32",  # Azure's host agent: a public address that only its guests reach.
        "192.0.0.0/24",  # IETF protocol assignments; Oracle's metadata service is in it.
        "192.88.99.0/24",  # 6to4 relays (RFC 7526).
        "2001::/23",  # Teredo, ORCHID and other protocol assignments.
        "3fff::/20",  # Documentation (RFC 9637).
    )
)
_UNICAST6: Final = IPv6Network("2000::/3")
"""All that IANA gives out as global unicast.

Not in it: IPv4-compatible addresses, site-local ones, SRv6, local NAT64 (RFC 8215).
"""
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether `address`, as written in a socket address, is somebody's on the open internet.

    An IPv4 address inside an IPv6 one (mapped, 6to4, NAT64) is judged as itself. Names,
    zone ids and what does not parse are not public.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:
            return False
        inner = _embedded(ip)
        if inner is None:
            return ip in _UNICAST6 and _is_open(ip)
        ip = inner
    return _is_open(ip)


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of `egress.allow`."""

    network: IPv4Network | IPv6Network
    ports: frozenset[int]


def parse_allow(entry: str) -> Allowed:
    """Read a network or address, with or without a port; without one it means 80 and 443.

    `10.0.0.0/8`, `10.0.0.0/8:8080`, `127.0.0.1:9000`, `fd00::/8`, `[::1]:8000`. Raises ValueError
    that names `entry`. Names are not taken: where one leads is its owner's to say, not ours.
    """
    found = _ENTRY.fullmatch(entry)
    if found is not None:
        port = found["port6"] or found["port4"]
        with suppress(ValueError):
            network = ip_network(found["bracketed"] or found["v4"] or found["bare"])
            if port is None:
                return Allowed(network, PORTS)
            if 0 < int(port) <= _MAX_PORT:
                return Allowed(network, frozenset({int(port)}))
    msg = (
        f"{entry!r}: write a network or an address, and a port if it is not 80 or 443, "
        "for example 10.0.0.0/8, 127.0.0.1:9000 or [::1]:8000"
    )
    raise ValueError(msg)


class Guard:
    """Lets through public addresses on ports 80 and 443, and what the operator allows."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._allowed = tuple(parse_allow(entry) for entry in allow)

    def check(self, address: str, port: int) -> None:
        """Raise `HttpError` with phase `guard` unless a socket may connect there."""
        if port in PORTS and is_public(address):
            return
        if not self._is_allowed(address, port):
            raise HttpError(REFUSED, phase="guard", unsent=True)

    def _is_allowed(self, address: str, port: int) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        if isinstance(ip, IPv6Address):
            # Only a mapped address is the same host: the others go through somebody's translator.
            ip = ip.ipv4_mapped or ip
        return any(ip in rule.network and port in rule.ports for rule in self._allowed)


def _embedded(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def _is_open(ip: IPv4Address | IPv6Address) -> bool:
    return (
        ip.is_global
        and not ip.is_multicast
        and not ip.is_reserved
        and not any(ip in block for block in _NOT_PUBLIC)
    )
