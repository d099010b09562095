"""Places of a provider where several processes share them."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from gateway.config.section import Rate
from gateway.config.upstreams import Pace, Provider
from gateway.crew.gates import FarGate, Share, shared_out
from gateway.crew.link import LinkError, connect
from gateway.crew.post import Post
from gateway.pipeline.attempts.gate import Gate, GateFullError
from gateway.sdk import UpstreamError
from tests.crew.far import hosted

NOWHERE = Path("no-such-folder")


async def happens(condition: Callable[[], bool]) -> None:
    """Let the other side of a socket do what it has been told to."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a gate tells nobody who comes.
            await asyncio.sleep(0.001)


async def test_a_place_is_taken_at_the_host_and_given_back() -> None:
    async with hosted(object(), concurrent=2) as (_, far, gate):
        await far.enter()
        await far.enter()
        assert gate.in_flight == 2

        far.leave()

        await happens(lambda: gate.in_flight == 1)
        far.leave()


async def test_who_waits_gets_the_place_of_who_leaves() -> None:
    async with hosted(object(), concurrent=1) as (_, far, gate), asyncio.TaskGroup() as group:
        await far.enter()
        waiting = group.create_task(far.enter())
        await happens(lambda: gate.waiting == 1)

        far.leave()
        await waiting

        assert gate.in_flight == 1
        far.leave()


async def test_a_full_gate_says_so_at_the_far_end() -> None:
    async with hosted(object(), concurrent=1, queue=0) as (_, far, _):
        await far.enter()

        with pytest.raises(GateFullError):
            await far.enter()
        far.leave()


async def test_who_stops_waiting_waits_no_more_at_the_host() -> None:
    async with hosted(object(), concurrent=1) as (_, far, gate), asyncio.TaskGroup() as group:
        await far.enter()
        waiting = group.create_task(far.enter())
        await happens(lambda: gate.waiting == 1)

        waiting.cancel()

        await happens(lambda: gate.waiting == 0)
        assert gate.in_flight == 1
        far.leave()


async def test_a_place_of_a_host_that_has_ended_is_given_back_before_one_of_the_next() -> None:
    with TemporaryDirectory(prefix="dg-") as folder:
        async with hosted(object(), folder=Path(folder)) as (_, far, _):
            await far.enter()
        async with hosted(object(), folder=Path(folder)) as (_, _, gate):
            await far.enter()

            far.leave()

            for _ in range(100):
                await asyncio.sleep(0)
            assert gate.in_flight == 1
            far.leave()
            await happens(lambda: gate.in_flight == 0)


async def test_a_host_that_is_not_there_is_a_failed_attempt() -> None:
    far = FarGate(Post(1, 2, NOWHERE).host_socket, "p")

    with pytest.raises(UpstreamError, match="p: the process that runs it has ended"):
        await far.enter()


async def test_a_link_to_nobody_is_an_error() -> None:
    with pytest.raises(LinkError):
        await connect(Post(1, 2, NOWHERE).host_socket)


@pytest.mark.parametrize("whole", [2, 3, 5, 64])
def test_shares_add_up_to_the_whole(whole: int) -> None:
    section = Provider(kind="k", concurrent=whole, queue=whole)

    shares = [shared_out(section, Share(number, 2)) for number in (1, 2)]

    assert sum(share.concurrent for share in shares) == whole
    assert sum(share.queue for share in shares) == whole


def test_a_pace_is_slower_for_each_worker() -> None:
    section = Provider(kind="k", pace=Pace(rate=Rate(600, 60), burst=5))

    first, second = (shared_out(section, Share(number, 2)).pace for number in (1, 2))

    assert first == Pace(rate=Rate(600, 120), burst=3)
    assert second == Pace(rate=Rate(600, 120), burst=2)
    Gate(Provider(kind="k", pace=first))
