"""The server: how a connection to it is opened, and what its failures are called."""

import asyncio
import math
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection, Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.config.valkey import client_url, valkey_place

Word = str | bytes | int
Words = tuple[Word, ...]
"""A command and its arguments."""
FAILURES: Final = (RedisError, OSError, TimeoutError)
"""All that talking to the server may raise."""
REFUSALS: Final = (AuthenticationError, NoPermissionError)
"""Those of them that waiting does not mend."""
CONNECT_S: Final = 1.0
"""For a connection and what is asked first; no call waits for it."""


class Server:
    """One server by its URL. Every connection is its caller's to disconnect."""

    def __init__(self, url: str) -> None:
        self.place = valkey_place(url)
        self._options: dict[str, Any] = dict(parse_url(client_url(url)))  # Any: the library's.
        self._kind: type[AbstractConnection] = self._options.pop("connection_class", Connection)

    async def connect(self, first: Sequence[Words] = ()) -> AbstractConnection:
        """Return a connection on which the commands `first` have succeeded.

        Raises `FAILURES`, after `CONNECT_S` at the latest.
        """
        connection = self._kind(
            **self._options,
            # The deadlines are ours: one for what is sent together, none for each reply.
            socket_timeout=None,
            socket_connect_timeout=CONNECT_S,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
        )
        try:
            async with asyncio.timeout(CONNECT_S):
                await connection.connect()  # type: ignore[no-untyped-call]  # Its own lack.
                for words in first:
                    await ask(connection, words)
        except BaseException as error:
            await connection.disconnect(nowait=True)
            # On a Unix socket the library wraps what the server said in an error of its own.
            if isinstance(error.__cause__, RedisError):
                raise error.__cause__ from None
            raise
        return connection


async def ask(connection: AbstractConnection, words: Words) -> Any:  # Any: what it replies.
    """Send one command and return its reply; whoever calls has the deadline. Raises `FAILURES`."""
    await connection.send_packed_command(connection.pack_command(*words), check_health=False)
    return await connection.read_response(timeout=math.inf)


def explained(error: BaseException) -> str:
    """Return why the server cannot be used; never what it was asked, or who asked."""
    match error:
        case AuthenticationError():
            reason = "it refuses the user or the password"
        case NoPermissionError():
            reason = "its user may not do what is needed (NOPERM)"
        case ResponseError():
            reason = f"it answers {_code(error)}"
        case TimeoutError() | RedisTimeoutError():
            reason = "no answer in time"
        case OSError():
            reason = error.strerror or "the connection failed"
        case RedisConnectionError():
            cause = error.__context__
            known = cause.strerror if isinstance(cause, OSError) else None
            reason = known or "the connection was lost"
        case _:
            reason = "what answers is neither Valkey nor Redis"
    return reason


def _code(error: ResponseError) -> str:
    """Return the word with which replies of this kind begin: READONLY, OOM."""
    word = error.status_code or str(error).partition(" ")[0]
    return word if word.isascii() and word.isupper() else "an error"
