"""One generation for all calls that ask the same at the same time."""

import asyncio
import logging
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

from gateway.background import Background
from gateway.pipeline.caching.tee import Reader, Tee
from gateway.pipeline.call import Call, Recall, Services
from gateway.pipeline.ending import end, release, settled
from gateway.schema.events import StreamEvent, size_of
from gateway.schema.failure import CallError, again
from gateway.schema.reply import Answer, Events, Frames, Made, Reply, Stream, Whole

_log = logging.getLogger("dynagate.pipeline")
_Make = Callable[[], Awaitable[Reply]]
_BUSY_S = 1


class Generations:
    """Those that are under way in this process, by what they answer."""

    def __init__(self, background: Background, *, most_bytes: int) -> None:
        self._background = background
        self._most = most_bytes
        self._under_way: dict[str, Generation] = {}

    @property
    def readers(self) -> list[int]:
        """How many read each of them."""
        return [generation.readers for generation in self._under_way.values()]

    async def reply(self, name: str, call: Call, services: Services, make: _Make) -> Reply:
        """Return the answer of the generation that makes `name`, which `make` begins if need be.

        It is made in a task of its own, so that no caller's leaving ends it for the others; when
        the last of them has left it is cancelled.
        """
        # A whole answer and a stream are made differently, with usage and without it, too.
        name = f"{name}:{call.ask.is_stream:d}{call.ask.is_usage_wanted:d}"
        generation = self._under_way.get(name)
        if generation is not None and generation.can_be_joined:
            owner = generation.owner
            call.recall = Recall("SHARED", shared_with=owner.request_id)
            call.ask.document = {}  # Nobody will be asked, and the answer may last for minutes.
        else:
            generation = Generation(call, services, self._most)
            self._begin(name, generation, make)
        return await generation.reply(call)

    def _begin(self, name: str, generation: "Generation", make: _Make) -> None:
        def forget() -> None:
            if self._under_way.get(name) is generation:
                del self._under_way[name]

        generation.forget = forget
        try:
            cancel = self._background.start("generation", generation.run(make))
        except RuntimeError:
            message = "too many answers are being made"
            raise CallError("unavailable", message, retry_after_s=_BUSY_S) from None
        generation.cancel = cancel
        self._under_way[name] = generation


class Generation:
    """One of them. `owner` is the call for which it was begun: it pays, and its watch counts."""

    def __init__(self, owner: Call, services: Services, most_bytes: int) -> None:
        self.owner = owner
        self.cancel: Callable[[], None] = _nothing
        self.forget: Callable[[], None] = _nothing
        self._services = services
        self._tee = Tee(most_bytes)
        self._readers: dict[str, Reader] = {}
        self._begun: asyncio.Future[Reply | CallError] = asyncio.get_running_loop().create_future()
        self._has_begun = self._is_over = self._has_owner_left = False

    @property
    def readers(self) -> int:
        """How many calls wait for it, or read it."""
        return len(self._readers)

    @property
    def can_be_joined(self) -> bool:
        """Whether one more caller can have all of it."""
        return bool(self._readers) and not self._is_over and self._tee.is_whole

    async def reply(self, call: Call) -> Reply:
        """Return the answer for one more call, once it begins. Raises its error."""
        call.generation = self
        reader = self._readers[call.request_id] = self._tee.reader()
        begun = await asyncio.shield(self._begun)
        if isinstance(begun, CallError):
            raise again(begun)
        owner = self.owner
        if call is not owner:
            call.target, call.model, call.path = owner.target, owner.model, owner.path
            call.dropped_params, call.dropped_fields = owner.dropped_params, owner.dropped_fields
            call.guards = owner.guards  # What is found later on is found for all.
        match begun:
            case Frames():
                frames = _read(reader)
                is_owner = call is owner  # Whose row is there before the end was handed over.
                return Frames(frames if is_owner else settled(frames, call, self._services))
            case Events():
                return Events(_read(reader))
            case Stream(media_type=media_type):
                return Stream(media_type, _read(reader))
            case Whole() | Answer() | Made():
                return begun

    def leave(self, call: Call) -> bool:
        """Count on `call` no more; say whether it is its own caller's to end it.

        If not it is ended when the generation is over, which is soon after its last reader left.
        """
        reader = self._readers.pop(call.request_id, None)
        if reader is not None:
            reader.leave()
        if not self._readers and not self._is_over:
            self.cancel()
            # A task that is cancelled before its first step does nothing at all.
            if not self._has_begun:
                self._is_over = True
                self.forget()
        if call is not self.owner or self._is_over:
            return True
        self._has_owner_left = True
        return False

    async def run(self, make: _Make) -> None:
        """Make the answer, and hand it over."""
        with self._services.users.held():
            await self._run(make)

    async def _run(self, make: _Make) -> None:
        self._has_begun = True
        call, whole = self.owner, None
        error: CallError | None = CallError("unavailable", "the gateway is stopping")
        task = cast("asyncio.Task[Any]", asyncio.current_task())  # There is one: it runs this.
        try:
            with call.watch.over(task) as watch:
                call.watch = watch
                whole = await self._make(make)
            error = None
        except CallError as failed:
            error = call.error = failed
        except CancelledError:
            call.is_aborted = True
            raise
        except Exception:  # noqa: BLE001 - the edge of a task: all who wait are told.
            _log.exception("%s: a bug in the gateway or in provider code", call.request_id)
            message = "something went wrong here; it has been logged"
            error = call.error = CallError("internal_error", message)
        finally:
            try:
                # By the task that has read it: a generator has one from beginning to end.
                await release(call, is_whole=error is None)
            finally:
                self.forget()
                self._is_over = True
                if not self._begun.done():
                    self._begun.set_result(whole or error or _NOTHING)
                self._tee.end(error)
                if self._has_owner_left:
                    await end(call, self._services)

    async def _make(self, make: _Make) -> Reply | None:
        """Return the answer if it is one whole thing; a stream is handed over piece by piece."""
        reply = await make()
        items = _items(reply)
        if items is None:
            return reply
        self._begun.set_result(reply)
        async with aclosing(items):
            async for item in items:
                await self._tee.put(item, _size(item))
        return None


def _items(reply: Reply) -> AsyncGenerator[Any] | None:  # Any: bytes or events.
    match reply:
        case Frames():
            return reply.frames
        case Events():
            return reply.events
        case Stream():
            return reply.chunks
        case Whole() | Answer() | Made():
            return None


_NOTHING = CallError("internal_error", "nothing was made")
_ITEM_BYTES = 64


def _size(item: bytes | StreamEvent) -> int:
    return _ITEM_BYTES + (len(item) if isinstance(item, bytes) else size_of(item))


async def _read(reader: Reader) -> AsyncGenerator[Any]:  # Any: as above.
    async for item in reader:
        yield item


def _nothing() -> None:
    """Stand in for what is known once a generation is about to begin."""
