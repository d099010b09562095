"""What a provider yields, pulled under the call's watch."""

from asyncio import CancelledError
from collections.abc import AsyncIterator
from typing import Generic, Self, TypeVar

from gateway.pipeline.watch import Watch
from gateway.schema.failure import CallError, Failure
from gateway.sdk.errors import UpstreamError
from gateway.sdk.http import HttpError

_Item = TypeVar("_Item")


class Watched(Generic[_Item]):
    """Each pull may last `silence_s`; what goes wrong now is the caller's to see.

    An iterator and no generator: it holds nothing that would have to be closed. Whoever made
    `source` closes it. Raises `CallError`: `deadline_exceeded`, `upstream_failed`.
    """

    __slots__ = ("_name", "_silence_s", "_source", "_watch")

    def __init__(
        self, source: AsyncIterator[_Item], watch: Watch, silence_s: float, *, name: str
    ) -> None:
        self._source = source
        self._watch = watch
        self._silence_s = silence_s
        self._name = name

    def __aiter__(self) -> Self:
        """Return itself: it goes on where it stands."""
        return self

    async def __anext__(self) -> _Item:
        """Return the next item."""
        self._watch.arm(self._silence_s)
        try:
            return await anext(self._source)
        except CancelledError:
            if self._watch.has_expired():
                message = f"{self._name} fell silent"
                raise CallError("deadline_exceeded", message, failure=Failure.TIMEOUT) from None
            raise
        except (UpstreamError, HttpError) as error:
            message = f"{self._name} broke off its answer"
            failure = error.failure if isinstance(error, UpstreamError) else Failure.TRANSIENT
            raise CallError("upstream_failed", message, failure=failure) from error
        finally:
            self._watch.rest()
