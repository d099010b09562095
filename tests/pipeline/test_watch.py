"""Deadlines of one call."""

import asyncio

import pytest

from gateway.pipeline.watch import Watch, Watches

FAR = 1e12


def watch_for(total_s: float = FAR) -> Watch:
    task = asyncio.current_task()
    assert task is not None
    return Watch(Watches(asyncio.get_running_loop()), task, total_s)


async def test_a_wait_that_lasts_too_long_is_cancelled_and_can_be_told_from_others() -> None:
    with watch_for() as watch:
        watch.arm(0.01)

        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()

        assert watch.has_expired()
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr] # a task runs
        await asyncio.sleep(0)


async def test_a_cancellation_from_elsewhere_is_not_taken_back() -> None:
    reached = asyncio.Event()

    async def call() -> bool:
        with watch_for() as watch:
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
        with watch_for() as watch:
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
    with watch_for() as watch:
        watch.arm(0.005)
        watch.rest()

        await asyncio.sleep(0.02)

        assert not watch.has_expired()


async def test_a_later_shorter_wait_moves_the_timer() -> None:
    with watch_for() as watch:
        watch.arm(60)
        watch.rest()
        watch.arm(0.01)

        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()

        assert watch.has_expired()


async def test_no_wait_goes_past_the_calls_deadline() -> None:
    with watch_for(0.01) as watch:
        watch.arm(60)

        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()

        assert watch.has_expired()


async def test_one_timer_serves_many_calls() -> None:
    watches = Watches(asyncio.get_running_loop())
    expired = []

    async def call(limit_s: float) -> None:
        task = asyncio.current_task()
        assert task is not None
        with Watch(watches, task, FAR) as watch:
            watch.arm(limit_s)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                assert watch.has_expired()
                expired.append(limit_s)

    await asyncio.gather(*(call(limit_s) for limit_s in (0.06, 0.03, 0.0)))

    assert expired == [0.0, 0.03, 0.06]
    assert watches.open == set()


async def test_a_watch_over_another_task_ends_that_one_by_the_same_deadline() -> None:
    with watch_for(FAR) as first:

        async def other() -> bool:
            task = asyncio.current_task()
            assert task is not None
            with first.over(task) as watch:
                assert watch.deadline == first.deadline
                watch.arm(0.01)
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    return watch.has_expired()
            return False

        assert await asyncio.create_task(other())
        assert not first.has_expired()
