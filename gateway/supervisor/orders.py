"""What the supervisor and its processes say to each other, over a pair of sockets of their own.

The orders come first, and the process answers once, when it is ready. After that the socket tells
either end that the other is gone.
"""

import pickle
import socket
import struct
from dataclasses import dataclass

from gateway.config.load import Loaded
from gateway.crew.post import Post

_SIZE = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Orders:
    """What one process is to do. `loaded` is the configuration as it was when all were started.

    `port` is where the workers listen.
    """

    loaded: Loaded
    post: Post
    port: int


def packed(orders: Orders) -> bytes:
    """Return what is sent."""
    body = pickle.dumps(orders, pickle.HIGHEST_PROTOCOL)
    return _SIZE.pack(len(body)) + body


def receive(channel: socket.socket) -> Orders:
    """Return the orders; blocks. Raises EOFError when the supervisor is gone."""
    (size,) = _SIZE.unpack(_exactly(channel, _SIZE.size))
    orders: Orders = pickle.loads(_exactly(channel, size))  # noqa: S301 - our own parent's.
    return orders


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = channel.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)
