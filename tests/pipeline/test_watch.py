"""Deadlines of one call."""

import asyncio

import pytest

from gateway.pipeline.watch import Watch

FAR = 1e12


async def test_a_wait_that_lasts_too_long_is_cancelled_and_can_be_told_from_others() -> None:
    with Watch(FAR) as watch:
        watch.arm(0.01)

        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()

        assert watch.has_expired()
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr] # a task runs
        await asyncio.sleep(0)


async def test_a_cancellation_from_elsewhere_is_not_taken_back() -> None:
    reached = asyncio.Event()

    async def call() -> bool:
        with Watch(FAR) as watch:
            watch.arm(60)
            try:
                reached.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return watch.has_expired()
        return True

    task = asyncio.create_task(call())
    await reached.wait()
    task.cancel()

    assert await task is False


async def test_both_at_once_is_a_cancellation() -> None:
    caught = []

    async def call() -> None:
        with Watch(FAR) as watch:
            watch.arm(0.0)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                caught.append(watch.has_expired())
                raise

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert caught == [False]


async def test_a_wait_that_is_over_is_not_cancelled() -> None:
    with Watch(FAR) as watch:
        watch.arm(0.005)
        watch.rest()

        await asyncio.sleep(0.02)

        assert not watch.has_expired()


async def test_a_later_shorter_wait_moves_the_timer() -> None:
    with Watch(FAR) as watch:
        watch.arm(60)
        watch.rest()
        watch.arm(0.01)

        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()

        assert watch.has_expired()


async def test_no_wait_goes_past_the_calls_deadline() -> None:
    with Watch(asyncio.get_running_loop().time() + 0.01) as watch:
        watch.arm(60)

        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()

        assert watch.has_expired()
