"""What two processes of one gateway say to each other: pickles over a Unix socket.

Unpickling runs what it is told to. Here both ends are the same version, started by one supervisor,
in a folder that only their user may enter; each also asks the kernel who the other is.
"""

import asyncio
import os
import pickle
import socket
import struct
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from gateway.background import Background

MOST_BYTES = 256 * 1024 * 1024
"""Of one frame: the largest request holds a body of `server.bounds.body_bytes`."""
_SIZE = struct.Struct(">I")
_PEER = struct.Struct("3i")  # struct ucred of Linux: pid, uid, gid.
_XUCRED, _XUCRED_BYTES = struct.Struct("II"), 76  # macOS: cr_version and cr_uid come first.
_LOCAL_PEERCRED = 1
_BACKLOG = 4096
_MOST_LINKS = 16_384


class LinkError(Exception):
    """The process at the other end is gone, is not there yet, or is none of ours."""


class Link:
    """One connection; closing it is how either end says that it wants no more."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Raise `LinkError` if the other end is another user's."""
        self._reader = reader
        self._writer = writer
        peer: socket.socket = writer.get_extra_info("socket")
        if _uid_of(peer) not in (None, os.getuid()):
            self.close()
            raise LinkError("the other process is another user's")

    async def send(self, value: object) -> None:
        """Send `value` once what was sent before is on its way: a slow reader slows the sender.

        Raises `LinkError`; what cannot be pickled raises as `pickle.dumps` does.
        """
        body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        if len(body) > MOST_BYTES:
            raise LinkError(f"{len(body)} bytes are more than one frame may have")
        self._writer.write(_SIZE.pack(len(body)) + body)
        try:
            await self._writer.drain()
        except OSError as error:
            raise LinkError("the other process is gone") from error

    async def receive(self) -> Any:  # Any: what the other end sent; both know what comes when.
        """Return what the other end sent next. Raises `LinkError`."""
        try:
            (size,) = _SIZE.unpack(await self._reader.readexactly(_SIZE.size))
            if size > MOST_BYTES:
                raise LinkError(f"{size} bytes are more than one frame may have")
            body = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise LinkError("the other process is gone") from error
        return pickle.loads(body)  # noqa: S301 - see above: only this user's own processes speak.

    async def closed(self) -> None:
        """Wait until the other end has closed, or says what nobody asked for."""
        with suppress(OSError):
            await self._reader.read(1)

    @property
    def is_gone(self) -> bool:
        """Whether the other end has closed."""
        return self._reader.at_eof() or self._writer.is_closing()

    def close(self) -> None:
        """Close at once; what was not sent yet is lost."""
        self._writer.transport.abort()

    def end(self) -> None:
        """Close once all is sent."""
        self._writer.close()


async def connect(path: Path) -> Link:
    """Return a link to who listens at `path`. Raises `LinkError`."""
    try:
        return Link(*await asyncio.open_unix_connection(path))
    except OSError as error:
        raise LinkError("the other process is not there") from error


@asynccontextmanager
async def listening(path: Path, serve: Callable[[Link], Awaitable[None]]) -> AsyncGenerator[None]:
    """Let `serve` answer each link to `path`; leaving ends those that are open."""
    background = Background(_MOST_LINKS)

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            link = Link(reader, writer)
        except LinkError:
            return
        try:
            await serve(link)
        except LinkError:
            pass
        finally:
            link.end()

    def connected(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            background.start(f"link at {path.name}", answer(reader, writer))
        except RuntimeError:
            writer.transport.abort()

    _forget(path)  # That of one that was killed.
    server = await asyncio.start_unix_server(connected, path, backlog=_BACKLOG)
    try:
        yield
    finally:
        server.close()
        _forget(path)
        await background.aclose()


def _forget(path: Path) -> None:
    path.unlink(missing_ok=True)


def _uid_of(peer: socket.socket) -> int | None:
    """Return whose process is at the other end, None where the system does not say."""
    if sys.platform == "linux":
        said = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        return int(_PEER.unpack(said)[1])
    if sys.platform == "darwin":
        said = peer.getsockopt(0, _LOCAL_PEERCRED, _XUCRED_BYTES)
        return int(_XUCRED.unpack_from(said)[1])
    return None
