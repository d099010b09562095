"""A provider's items, pulled under a watch."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from gateway.pipeline.paths.watched import Watched
from gateway.pipeline.watch import Watch, Watches
from gateway.schema.failure import CallError, Failure
from gateway.sdk.errors import UpstreamError

FAR = 1e12


def new_watch() -> Watch:
    task = asyncio.current_task()
    assert task is not None
    return Watch(Watches(asyncio.get_running_loop()), task, FAR)


async def words(*pieces: str, error: UpstreamError | None = None) -> AsyncGenerator[str]:
    for piece in pieces:
        yield piece
    if error is not None:
        raise error


async def silence() -> AsyncGenerator[str]:
    yield "first"
    await asyncio.Event().wait()


async def test_items_come_in_order_and_the_watch_rests_between_them() -> None:
    with new_watch() as watch:
        seen = [(item, watch.due) async for item in Watched(words("a", "b"), watch, 9, name="up")]

    assert seen == [("a", float("inf")), ("b", float("inf"))]


async def test_silence_is_a_missed_deadline_of_the_one_who_is_silent() -> None:
    with new_watch() as watch:
        items = Watched(silence(), watch, 0.01, name="up")
        assert await anext(items) == "first"

        with pytest.raises(CallError, match="up fell silent") as raised:
            await anext(items)

    assert (raised.value.code, raised.value.failure) == ("deadline_exceeded", Failure.TIMEOUT)


async def test_an_upstreams_error_keeps_its_class() -> None:
    source = words("a", error=UpstreamError(Failure.QUOTA, "secret words"))

    with new_watch() as watch, pytest.raises(CallError, match="up broke off its answer") as raised:
        async for _ in Watched(source, watch, 9, name="up"):
            pass

    assert (raised.value.code, raised.value.failure) == ("upstream_failed", Failure.QUOTA)


async def test_a_cancellation_from_elsewhere_passes() -> None:
    async def pull() -> None:
        with new_watch() as watch:
            async for _ in Watched(silence(), watch, 60, name="up"):
                pass

    task = asyncio.ensure_future(pull())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
