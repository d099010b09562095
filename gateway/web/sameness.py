"""What a request with an `Idempotency-Key` asks, as a digest: a repeated one asks the same."""

import hashlib
from collections.abc import Callable

from aiohttp import web
from multidict import istr

IDEMPOTENCY_KEY = istr("Idempotency-Key")
LATER = web.RequestKey("later", list[Callable[[], None]])
"""What is left to do when a call is over that goes on without its caller."""
_BODY = web.RequestKey("body_digest", bytes)


class Parts:
    """The digest of a form's parts; the boundary between them is another in each request."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._part = hashlib.sha256()

    def begin(self, name: str | None, filename: str | None) -> None:
        """Begin a part."""
        self._end()
        self._part = hashlib.sha256(repr((name, filename)).encode())

    def add(self, data: bytes) -> None:
        """Add a piece of the part that has begun."""
        self._part.update(data)

    def digest(self) -> bytes:
        """Return the digest of all parts, in order."""
        self._end()
        return hashlib.sha256(b"".join(self._parts)).digest()

    def _end(self) -> None:
        self._parts.append(self._part.digest())


def note_body(request: web.BaseRequest, body: bytes) -> None:
    """Note the digest of a body, if it will be needed."""
    if IDEMPOTENCY_KEY in request.headers:
        request[_BODY] = hashlib.sha256(body).digest()


def parts_of(request: web.BaseRequest) -> Parts | None:
    """Return what digests the parts of a form, if that will be needed."""
    return Parts() if IDEMPOTENCY_KEY in request.headers else None


def note_parts(request: web.BaseRequest, parts: Parts | None) -> None:
    """Note the digest of a form."""
    if parts is not None:
        request[_BODY] = parts.digest()


def fingerprint_of(request: web.Request) -> str:
    """Return the digest of path, query and body."""
    place = f"{request.rel_url.raw_path}?{request.rel_url.raw_query_string}".encode()
    return hashlib.sha256(place + b"\n" + request.get(_BODY, b"")).hexdigest()
