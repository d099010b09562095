"""The publisher's own file over HTTP: quick to give up, resumed where it stopped."""

import http.client
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from gateway.schema.json import read_object

_READ_TIMEOUT_S = 30.0
_PIECE_BYTES = 1 << 20
_RESUMES = 3
_REST = timedelta(days=1)


class SourceError(Exception):
    """This source cannot bring the file; the next may."""


class UnreachableError(SourceError):
    """Nobody answered at the address."""


def download(
    url: str,
    partial: Path,
    size_bytes: int,
    *,
    connect_timeout_s: float,
    progress: Callable[[int], None],
) -> None:
    """Append to `partial` what it lacks of `size_bytes`; a broken transfer is resumed a few times.

    The environment's proxies are used: this is the operator's own shell. Raises `UnreachableError`
    when a try brings not one byte, `SourceError` for anything else.
    """
    opener = _opener(connect_timeout_s)
    for _ in range(_RESUMES + 1):
        done = _size(partial)
        try:
            _append(opener, url, partial, size_bytes, progress)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
                raise SourceError(f"answered {error.code}") from error
            if _size(partial) == done:
                reason = error.reason if isinstance(error, urllib.error.URLError) else error
                raise UnreachableError(f"cannot be reached ({reason})") from error
        if _size(partial) == size_bytes:
            return
    raise SourceError("the transfer broke off again and again")


class Refusals:
    """Remembers for a day which hosts could not be reached, so that nobody waits for them twice."""

    def __init__(self, file: Path, now: Callable[[], datetime]) -> None:
        self._file = file
        self._now = now

    def is_resting(self, url: str) -> bool:
        """Say whether the host of `url` failed within the last day."""
        try:
            since = datetime.fromisoformat(str(self._known().get(_host(url))))
            return timedelta(0) <= self._now() - since < _REST
        except (TypeError, ValueError):
            return False

    def remember(self, url: str) -> None:
        """Note that the host of `url` could not be reached now."""
        known = self._known() | {_host(url): self._now().isoformat()}
        self._file.write_bytes(orjson.dumps(known))

    def _known(self) -> dict[str, Any]:  # Any: JSON values, checked by the reader.
        try:
            return read_object(self._file.read_bytes()) or {}
        except OSError:
            return {}


def _host(url: str) -> str:
    return urlsplit(url).netloc


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _append(
    opener: urllib.request.OpenerDirector,
    url: str,
    partial: Path,
    size_bytes: int,
    progress: Callable[[int], None],
) -> None:
    done = _size(partial)
    headers = {"User-Agent": "dynagate", "Accept-Encoding": "identity"}
    if done:
        headers["Range"] = f"bytes={done}-"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the catalogue's URL, https
    with opener.open(request) as answer:
        if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
        # A page that says "log in first" has another length: it must not touch what is there.
        length = answer.headers.get("Content-Length", "")
        if not length.isdecimal() or done + int(length) != size_bytes:
            raise SourceError(
                f"offers {length or 'an unknown number of'} bytes, not {size_bytes - done}"
            )
        with partial.open("ab" if done else "wb") as file:
            while piece := answer.read(_PIECE_BYTES):
                file.write(piece)
                done += len(piece)
                progress(done)


def _opener(connect_timeout_s: float) -> urllib.request.OpenerDirector:
    class PlainConnection(http.client.HTTPConnection):
        def connect(self) -> None:
            _connect(self, super().connect, connect_timeout_s)

    class SecureConnection(http.client.HTTPSConnection):
        def connect(self) -> None:
            _connect(self, super().connect, connect_timeout_s)

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(PlainConnection, req)

    class SecureHandler(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(SecureConnection, req)

    return urllib.request.build_opener(PlainHandler, SecureHandler)


def _connect(
    connection: http.client.HTTPConnection, connect: Callable[[], None], connect_timeout_s: float
) -> None:
    connection.timeout = connect_timeout_s
    connect()
    sock: socket.socket = connection.sock
    sock.settimeout(_READ_TIMEOUT_S)
