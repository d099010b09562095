"""A feed of several processes: the same events in the same order, resumed at any of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Self

from gateway.background import Background
from gateway.state.condition import Condition
from gateway.state.feed import Subscription
from gateway.state.memory_feed import MemoryFeed
from gateway.state.valkey.commands import Commands
from gateway.state.valkey.feed import ADD, ValkeyFeed, place_of
from gateway.state.valkey.server import Server, Words
from gateway.testing.clock import ManualClock
from tests.state.proxy import proxy
from tests.state.sharing import PATIENT_S
from tests.state.test_memory_feed import id_of
from tests.valkey import TestValkey, client
from tests.web.raw_http import becomes

KEY = "dynagate:feed:{text}"


@asynccontextmanager
async def process(
    url: str, *, events: int = 100, queue: int = 64, condition: Condition | None = None
) -> AsyncGenerator[ValkeyFeed]:
    """One process's end of the feed of text."""
    condition, server = condition or Condition("the server"), Server(url)

    def dropped(words: Words) -> None:
        condition.dropped_events += words[0] == ADD

    commands = Commands(
        server, condition, "feeds", answer_s=PATIENT_S, most_posted=500, on_dropped=dropped
    )
    local = MemoryFeed(
        ManualClock(), events=events, size_bytes=1 << 20, queue=queue, place_of=place_of
    )
    feed = ValkeyFeed("text", server, commands, local, condition, events=events)
    background = Background()
    await commands.open()
    background.start("commands", commands.run())
    background.start("feed", feed.keep())
    try:
        yield feed
    finally:
        await commands.aclose()
        await background.aclose()


class Reader:
    """What one reader is told."""

    def __init__(self, feed: ValkeyFeed, *, after: str | None = None, last: int = 0) -> None:
        self.ends: list[str] = []
        self._held: AbstractAsyncContextManager[Subscription] = feed.subscribe(
            self.ends.append, after=after, last=last
        )

    async def __aenter__(self) -> Self:
        """Subscribe."""
        self._subscription = await self._held.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        await self._held.__aexit__(None, None, None)

    async def frames(self, count: int) -> list[bytes]:
        """Return the next frames."""
        async with asyncio.timeout(PATIENT_S):
            return [await self._subscription.next() for _ in range(count)]

    async def data(self, count: int) -> list[bytes]:
        """Return the data of the next frames."""
        return [frame.split(b"\n")[1].removeprefix(b"data: ") for frame in await self.frames(count)]


def numbers(first: int, last: int) -> list[bytes]:
    """The data of events."""
    return [b"%d" % number for number in range(first, last + 1)]


async def test_readers_of_every_process_get_every_event_in_one_order(valkey: str) -> None:
    async with (
        process(valkey, queue=1000) as here,
        process(valkey, queue=1000) as there,
        Reader(here) as one,
        Reader(there) as other,
    ):
        for number in range(1, 201):
            (here if number % 2 else there).publish(b"%d" % number)
            if number % 50 == 0:
                await asyncio.sleep(0)

        frames = await one.frames(200)

        assert frames == await other.frames(200)
        assert sorted(int(frame.split(b"\n")[1][6:]) for frame in frames) == list(range(1, 201))


async def test_a_reader_goes_on_at_another_process_and_after_a_restart(valkey: str) -> None:
    async with process(valkey) as here:
        async with Reader(here) as reader:
            for data in numbers(1, 3):
                here.publish(data)
            seen = id_of((await reader.frames(2))[-1])
        async with process(valkey) as there, Reader(there, after=seen) as again:
            assert await again.data(1) == [b"3"]
    async with process(valkey) as later, Reader(later, after=seen) as again:
        later.publish(b"4")

        assert await again.data(2) == [b"3", b"4"]


async def test_the_past_is_there_for_a_process_that_was_not(valkey: str) -> None:
    async with process(valkey) as here, Reader(here) as reader:
        for data in numbers(1, 5):
            here.publish(data)
        await reader.frames(5)
        async with process(valkey) as late, Reader(late, last=2) as newcomer:
            assert await newcomer.data(2) == [b"4", b"5"]


async def test_an_id_that_is_no_streams_begins_now(valkey: str) -> None:
    async with process(valkey) as feed, Reader(feed) as first:
        feed.publish(b"old")
        await first.frames(1)
        for unknown in ("", "000000000001-0000-000000000001", "1-\u0661", "9" * 30 + "-0"):
            async with Reader(feed, after=unknown) as reader:
                feed.publish(b"now")

                assert await reader.data(1) == [b"now"]


async def test_the_stream_is_bounded_and_goes_by_itself(valkey: str) -> None:
    async with process(valkey, events=3) as feed, Reader(feed) as reader:
        for _ in range(30):
            for data in numbers(1, 50):
                feed.publish(data)
            await reader.frames(50)

        with client(valkey) as operator:
            assert operator.xlen(KEY) == 1000
            assert 0 < operator.pttl(KEY) <= 7 * 86_400_000


async def test_what_comes_at_once_does_not_drop_a_reader_who_keeps_up(valkey: str) -> None:
    async with process(valkey, queue=4) as feed, Reader(feed) as reader:
        reading = asyncio.ensure_future(reader.frames(100))
        for data in numbers(1, 100):
            feed.publish(data)

        assert len(await reading) == 100
        assert reader.ends == []


async def test_an_entry_that_could_forge_an_event_is_passed_over(valkey: str) -> None:
    async with process(valkey) as feed, Reader(feed) as reader:
        with client(valkey) as stranger:
            stranger.xadd(KEY, {"data": "x\n\nid: 9-9\ndata: forged"})
            stranger.xadd(KEY, {"other": "x"})
        feed.publish(b"1")

        assert await reader.data(1) == [b"1"]


async def test_events_are_dropped_and_counted_while_the_server_is_gone(
    own_valkey: TestValkey,
) -> None:
    condition = Condition("the server")
    async with process(own_valkey.url, condition=condition) as feed, Reader(feed) as reader:
        feed.publish(b"1")
        await reader.frames(1)
        own_valkey.kill()
        await becomes(lambda: condition.is_down)
        before = condition.dropped_events
        for data in numbers(1, 3000):
            feed.publish(data)
        assert condition.dropped_events >= before + 3000 - 500

        own_valkey.start()
        await becomes(lambda: not condition.is_down)
        feed.publish(b"again")

        frames = await reader.frames(1)
        while b"again" not in frames[0]:
            frames = await reader.frames(1)


async def test_what_was_missed_in_a_hole_of_the_network_comes_late_and_once(
    own_valkey: TestValkey,
) -> None:
    async with (
        proxy(own_valkey.url) as way,
        process(way.url) as behind,
        process(own_valkey.url) as direct,
        Reader(behind) as reader,
    ):
        direct.publish(b"1")
        await reader.frames(1)
        way.cut()
        way.swallow()
        for data in numbers(2, 5):
            direct.publish(data)
        way.pass_on()
        direct.publish(b"6")

        assert await reader.data(5) == numbers(2, 6)


async def test_closing_ends_every_reader_and_each_later_one(valkey: str) -> None:
    async with process(valkey) as feed, Reader(feed) as reader:
        feed.close("the end")

        assert reader.ends == ["the end"]
        assert not feed.is_wanted
        async with Reader(feed) as later:
            assert later.ends == ["the end"]
