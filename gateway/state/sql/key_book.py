"""The keys of a database that no gateway of this process has open."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.config.database import Place
from gateway.sdk.clock import SystemClock
from gateway.state.sql.database import Transaction, transact
from gateway.state.sql.keys import SqlKeyBook

_T = TypeVar("_T")


def open_key_book(place: Place) -> SqlKeyBook:
    """Return the keys in the database, which is opened for each thing that is asked of it."""

    async def once(
        work: Callable[[Transaction], Awaitable[_T]],
        *,
        done: Callable[[_T], None] | None = None,
    ) -> _T:
        return await transact(place, work)

    return SqlKeyBook(once, SystemClock(), lambda _key: None)
