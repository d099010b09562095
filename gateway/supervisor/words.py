"""What the supervisor and one of its processes say to each other after the orders.

Each asks the other with a ticket, and is answered with the same one. Pickles over a pair of
sockets that nobody else has.
"""

import pickle
import socket
import struct
from typing import Any, NamedTuple

from gateway.config.load import Loaded
from gateway.config.problems import Problem
from gateway.config.reload import Outcome, Standing

_SIZE = struct.Struct(">I")


class Ready(NamedTuple):
    """The process does its work; `said` is for the terminal."""

    said: str


class Prepare(NamedTuple):
    """Make the next configuration; answered by what is wrong with it, which may be nothing."""

    loaded: Loaded
    generation: int


class Commit(NamedTuple):
    """Put in force what was prepared; answered by True."""

    standing: Standing


class Abandon(NamedTuple):
    """Forget what was prepared, if anything was; answered by True."""


class Stands(NamedTuple):
    """This is how the configuration stands; answered by True."""

    standing: Standing


class Reload(NamedTuple):
    """Read the file again; answered by the outcome, by problems, or by None: too many ask."""

    why: str
    is_trial: bool


class Ask(NamedTuple):
    """One of the words above, which has an answer."""

    ticket: int
    word: Prepare | Commit | Abandon | Stands | Reload


class Answer(NamedTuple):
    """The answer to an `Ask`."""

    ticket: int
    value: tuple[Problem, ...] | Outcome | bool | None


def frame(word: object) -> bytes:
    """Return what is sent."""
    body = pickle.dumps(word, pickle.HIGHEST_PROTOCOL)
    return _SIZE.pack(len(body)) + body


def receive(channel: socket.socket) -> Any:  # Any: what the other end sent.
    """Return what the other end sent next; blocks. Raises EOFError when it is gone."""
    (size,) = _SIZE.unpack(_exactly(channel, _SIZE.size))
    return pickle.loads(_exactly(channel, size))  # noqa: S301 - our own parent's, or child's.


class Frames:
    """Puts frames together from what was read."""

    def __init__(self) -> None:
        self._data = bytearray()

    def take(self, piece: bytes) -> list[Any]:  # Any: as above.
        """Return the words that are whole with `piece`."""
        self._data += piece
        words = []
        while len(self._data) >= _SIZE.size:
            end = _SIZE.size + _SIZE.unpack_from(self._data)[0]
            if len(self._data) < end:
                break
            words.append(pickle.loads(self._data[_SIZE.size : end]))  # noqa: S301 - as above.
            del self._data[:end]
        return words


def _exactly(channel: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = channel.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return bytes(data)
