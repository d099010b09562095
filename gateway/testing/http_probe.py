"""What the tests of an `HttpClient` are written with."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypedDict, Unpack

from gateway.sdk.http import HttpClient, HttpError, Timeouts
from gateway.testing.raw_server import Peer

POOL: Final = 2
"""How many connections the client under test may have."""

BODY_BYTES: Final = 1024 * 1024
"""The client's own bound on `read`."""

BRIEF_S: Final = 0.08
"""A bound that is to expire, with nothing to be reached before it does."""

DUE_S: Final = 0.6
"""A bound that is to expire, or not, after something else is reached: a busy machine gets there."""

AMPLE_S: Final = 3.0

HTTP_OK: Final = 200


class Options(TypedDict, total=False):
    """The keywords of `HttpClient.request`."""

    headers: Mapping[str, str]
    body: bytes
    timeouts: Timeouts
    deadline: float
    replay: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def ask(
    http: HttpClient,
    url: str,
    *,
    method: str = "GET",
    limit: int = BODY_BYTES,
    **options: Unpack[Options],
) -> Answer:
    """Send a request and read its whole answer."""
    async with http.request(method, url, **options) as response:
        body = await response.read(limit)
        return Answer(response.status, dict(response.headers), body)


async def failure(
    http: HttpClient,
    url: str,
    *,
    method: str = "GET",
    limit: int = BODY_BYTES,
    **options: Unpack[Options],
) -> HttpError:
    """Do as `ask` and return what it raised, soon: not at some other bound than the test's."""
    try:
        async with asyncio.timeout(AMPLE_S):
            answer = await ask(http, url, method=method, limit=limit, **options)
    except HttpError as error:
        return error
    msg = f"expected an HttpError, got status {answer.status} and {len(answer.body)} bytes"
    raise AssertionError(msg)


def expect(found: object, wanted: object) -> None:
    """Fail unless both are equal."""
    if found != wanted:
        msg = f"expected {wanted!r}, found {found!r}"
        raise AssertionError(msg)


async def wait_gone(peer: Peer) -> None:
    """Fail unless the client closes the connection soon."""
    async with asyncio.timeout(AMPLE_S):
        await peer.gone.wait()


async def spin() -> None:
    """Let everything that can run do so."""
    for _ in range(20):
        await asyncio.sleep(0)
