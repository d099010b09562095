"""The address that all workers listen at, kept for them while none does."""

import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gateway.config.load import Loaded
from gateway.config.problems import Finding

_log = logging.getLogger("dynagate.supervisor")


def check_sharing(loaded: Loaded) -> None:
    """Say what this system does of sharing a port. Raises `ConfigError` where it has none."""
    if not hasattr(socket, "SO_REUSEPORT"):
        message = "several processes cannot share a port on this system: write 1"
        raise loaded.error([Finding(("server", "workers"), message)])
    if sys.platform != "linux":
        _log.warning(
            "this system does not spread connections over processes: most will go to one of "
            "server.workers, and the others help only once it is gone"
        )


@contextmanager
def reserved(host: str, port: int) -> Iterator[int]:
    """Hold `port` of `host`, a free one for 0, without listening; yield its number.

    Only processes of this user that share ports may listen there meanwhile. Raises `OSError`.
    """
    with ExitStack() as stack:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            place = (address[0], port, *address[2:])
            # Another gateway that shares its port would let us in: who shares nothing is refused.
            with socket.socket(family, kind, protocol) as probe:
                _prepare(probe, family)
                probe.bind(place)
            held = stack.enter_context(socket.socket(family, kind, protocol))
            _prepare(held, family)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(place)
            port = held.getsockname()[1]
        yield port


def _prepare(listener: socket.socket, family: int) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
