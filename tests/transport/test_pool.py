"""What a pool remembers between requests, and what a request without bounds leaves alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from math import inf

import pytest

from gateway.sdk.http import HttpError, Timeouts
from gateway.testing.http_probe import AMPLE_S, BRIEF_S, spin
from gateway.testing.raw_server import OK, answer, raw_server
from gateway.transport.alarm import Alarm, Alarms
from gateway.transport.exchange import Exchange
from gateway.transport.link import Connector, Link, Origin
from gateway.transport.pool import Pool


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    pool = Pool(Connector(), 2)
    yield pool
    await pool.close()


async def test_the_same_request_is_prepared_once(pool: Pool) -> None:
    first = pool.prepare("GET", "http://h/a", {"X-A": "1"})

    assert pool.prepare("GET", "http://h/a", {"X-A": "1"}) is first


async def test_requests_to_one_host_share_its_connections(pool: Pool) -> None:
    first = pool.prepare("GET", "http://me@h/a", {})
    second = pool.prepare("POST", "http://h:80/b?c", {"X-A": "1"})
    other = pool.prepare("GET", "https://h/a", {})

    assert first.origin is second.origin
    assert other.origin is not first.origin


async def test_only_so_many_requests_are_remembered(pool: Pool) -> None:
    first = pool.prepare("GET", "http://h/0", {})
    others = [pool.prepare("GET", f"http://h/{number}", {}) for number in range(1, 65)]

    assert pool.prepare("GET", "http://h/64", {}) is others[-1]
    assert pool.prepare("GET", "http://h/0", {}) is not first


async def test_without_keeping_nothing_is_remembered() -> None:
    pool = Pool(Connector(is_caching_names=False), 1, is_kept=False)
    first = pool.prepare("GET", "http://h/", {})

    again = pool.prepare("GET", "http://h/", {})
    await pool.close()

    assert again is not first
    assert again.origin is not first.origin
    assert b"\r\nConnection: close\r\n" in again.head


async def test_a_place_that_comes_to_who_has_given_up_is_passed_on() -> None:
    pool = Pool(Connector(), 1)
    link = await _linked(pool)
    first, second = (asyncio.ensure_future(pool.wait_for_place()) for _ in range(2))
    await spin()

    pool.discard(link)
    first.cancel()
    async with asyncio.timeout(AMPLE_S):
        await second
    await pool.close()

    assert first.cancelled()


async def _linked(pool: Pool) -> Link:
    """Take a place and connect."""
    async with raw_server(answer(OK)) as server:
        origin = pool.prepare("GET", server.url, {}).origin
        await pool.wait_for_place()
        return await pool.connect(origin, is_new=False)


class Counted(Alarms):
    """Notes how often an alarm is set."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self.count = 0

    def arm(self, alarm: Alarm, due: float) -> None:
        self.count += 1
        super().arm(alarm, due)


async def test_without_bounds_only_connecting_sets_an_alarm(pool: Pool) -> None:
    counts: list[int] = []
    async with raw_server(answer(OK)) as server:
        alarms = Counted()
        for _ in range(2):
            async with Exchange(
                pool,
                alarms,
                ("GET", server.url, {}, b""),
                bounds=Timeouts(connect=5.0, first_byte=None, idle=None),
                last=inf,
                body_bytes=100,
            ) as response:
                await response.read(100)
            counts.append(alarms.count)

    assert counts == [1, 1]


class Stubborn(Connector):
    """Makes no connection until it is cancelled, and then does not pass that on."""

    def __init__(self, *, is_failing: bool) -> None:
        super().__init__()
        self._is_failing = is_failing

    async def open(self, origin: Origin) -> Link:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        if self._is_failing:
            raise ConnectionResetError
        return await super().open(origin)


@pytest.mark.parametrize("is_failing", [True, False])
async def test_a_late_connection_leaves_no_cancellation_and_its_place(*, is_failing: bool) -> None:
    pool = Pool(Stubborn(is_failing=is_failing), 1)
    alarms = Alarms(asyncio.get_running_loop())
    async with raw_server(answer(OK)) as server:
        late = Exchange(
            pool,
            alarms,
            ("GET", server.url, {}, b""),
            bounds=Timeouts(connect=BRIEF_S),
            last=inf,
            body_bytes=100,
        )
        with pytest.raises(HttpError) as caught:
            await late.__aenter__()
        async with asyncio.timeout(AMPLE_S):
            await pool.wait_for_place()
    await pool.close()
    task = asyncio.current_task()

    assert (caught.value.phase, caught.value.unsent) == ("connect", True)
    assert caught.value.is_timeout
    assert task is not None
    assert task.cancelling() == 0
