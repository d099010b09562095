"""The HTTP that providers are given: narrow, bounded, and not any library's.

`Deps.http` reaches the operator's URLs and follows no redirect, `Deps.fetch` the callers'. Neither
keeps a cookie or reads a proxy from the environment.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Bounds in seconds; None is no bound.

    `connect` ends with a usable connection (waiting for a pool place is part of it), `first_byte`
    with the final head, `idle` runs while the body is being waited for (not while the reader is
    slow).
    """

    connect: float | None = 5.0
    first_byte: float | None = 60.0
    idle: float | None = 60.0


class HttpError(Exception):
    """A request that got no usable answer.

    `phase` is where it failed: `pool` (no free connection in time), `guard` (the address is not to
    be reached), `connect` (DNS, TCP, TLS, proxy), `head` (until the final head) or `body`. `unsent`
    is true when no byte of the request can have reached the server: it is safe to try again.
    """

    def __init__(
        self,
        message: str,
        *,
        phase: Literal["pool", "guard", "connect", "head", "body"],
        unsent: bool,
        is_timeout: bool = False,
    ) -> None:
        super().__init__(message)
        self.phase = phase
        self.unsent = unsent
        self.is_timeout = is_timeout


class TooLargeError(HttpError):
    """A body over the limit that the reader set; nothing more is read."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body has more than {limit} bytes", phase="body", unsent=False)
        self.limit = limit


class HttpResponse(Protocol):
    """An answer whose final head has arrived; every status is a value, none raises."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case, repeats joined by a comma."""

    async def read(self, limit: int) -> bytes:
        """Return the whole body, decompressed.

        Raises `TooLargeError` past `limit` bytes, `HttpError` if it breaks.
        """

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, decompressed, no piece empty, in any slicing.

        Pulling is the back-pressure. Raises `HttpError`.
        """


class HttpClient(Protocol):
    """Sends requests; safe for any number of tasks."""

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        body: bytes = b"",
        timeouts: Timeouts | None = None,
        deadline: float | None = None,
        replay: bool = False,
    ) -> AbstractAsyncContextManager[HttpResponse]:
        """Send and enter at the final head; leaving with an unread body closes the connection.

        `timeouts` None bounds the connecting as configured, and nothing else: the gateway itself
        watches the first token, silence and the whole call. (The client for callers' URLs has the
        bounds of `Timeouts()` then.) `deadline` is a reading of `Clock.monotonic`. With `replay`
        the request may be sent once more when a kept-alive connection turns out dead. Raises
        `HttpError`; cancellation passes through and closes.
        """
