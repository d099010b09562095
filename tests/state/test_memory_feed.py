"""A feed in memory: in order, bounded, resumed without a gap, and no reader slows another."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.state.memory_feed import MemoryFeed, MemorySubscription
from gateway.testing.clock import ManualClock


def feed_of(*, events: int = 100, size_bytes: int = 1 << 20, queue: int = 4) -> MemoryFeed:
    """Return a feed."""
    return MemoryFeed(ManualClock(), events=events, size_bytes=size_bytes, queue=queue)


@asynccontextmanager
async def reading(
    feed: MemoryFeed, *, after: str | None = None, last: int = 0
) -> AsyncGenerator[tuple[MemorySubscription, list[str]]]:
    """Subscribe; beside the subscription are the reasons for which it ended."""
    ends: list[str] = []
    async with feed.subscribe(ends.append, after=after, last=last) as subscription:
        yield subscription, ends


def id_of(frame: bytes) -> str:
    """Return the id that a frame has."""
    return frame.split(b"\n")[0].removeprefix(b"id: ").decode()


async def take(subscription: MemorySubscription, count: int) -> list[bytes]:
    """Return the data of the next frames."""
    frames = [await subscription.next() for _ in range(count)]
    return [frame.split(b"\n")[1].removeprefix(b"data: ") for frame in frames]


def publish(feed: MemoryFeed, count: int) -> None:
    """Publish the numbers from 1."""
    for number in range(1, count + 1):
        feed.publish(b"%d" % number)


async def test_events_come_in_order_with_ids_that_sort() -> None:
    feed = feed_of(queue=20)
    async with reading(feed) as (subscription, _):
        publish(feed, 12)
        frames = [await subscription.next() for _ in range(12)]

    ids = [id_of(frame) for frame in frames]
    assert [frame.split(b"\n", 1)[1] for frame in frames] == [
        b"data: %d\n\n" % number for number in range(1, 13)
    ]
    assert ids == sorted(set(ids))


async def test_all_readers_share_one_frame() -> None:
    feed = feed_of()
    async with reading(feed) as (first, _), reading(feed) as (second, _):
        publish(feed, 1)

        assert await first.next() is await second.next()


async def test_a_reader_that_waits_is_woken() -> None:
    feed = feed_of()
    async with reading(feed) as (subscription, _):
        waiting = asyncio.ensure_future(take(subscription, 1))
        await asyncio.sleep(0)
        publish(feed, 1)

        assert await waiting == [b"1"]


async def test_a_resumed_reader_misses_nothing_and_gets_nothing_twice() -> None:
    feed = feed_of()
    async with reading(feed) as (subscription, _):
        publish(feed, 3)
        await take(subscription, 1)
        seen = id_of(await subscription.next())
    publish(feed, 3)
    async with reading(feed, after=seen, last=2) as (subscription, _):
        feed.publish(b"live")

        assert await take(subscription, 5) == [b"3", b"1", b"2", b"3", b"live"]


async def test_an_id_of_another_process_or_of_nobody_begins_now() -> None:
    earlier, feed = feed_of(), feed_of()
    async with reading(earlier) as (subscription, _):
        publish(earlier, 1)
        foreign = id_of(await subscription.next())
    publish(feed, 3)
    prefix = foreign[:-12]

    for unknown in (foreign, "", "000000000001", "req_1-end", f"{prefix}\u0661", "9" * 9999):
        async with reading(feed, after=unknown) as (subscription, _):
            feed.publish(b"now")

            assert await take(subscription, 1) == [b"now"]


async def test_the_history_ends_at_its_count_and_at_its_bytes() -> None:
    counted, weighed = feed_of(events=2), feed_of(size_bytes=150)
    publish(counted, 5)
    publish(weighed, 5)
    frame_bytes = len(b"id: 000000000000-00000000-000000000001\ndata: 1\n\n")

    async with reading(counted, last=5) as (subscription, _):
        assert await take(subscription, 2) == [b"4", b"5"]
    async with reading(weighed, last=5) as (subscription, _):
        kept = 150 // frame_bytes
        assert await take(subscription, kept) == [b"%d" % n for n in range(6 - kept, 6)]


async def test_an_event_larger_than_the_history_is_read_and_not_kept() -> None:
    feed = feed_of(size_bytes=100)
    async with reading(feed) as (subscription, _):
        feed.publish(b"x" * 200)

        assert await take(subscription, 1) == [b"x" * 200]
    async with reading(feed, last=1) as (subscription, _):
        publish(feed, 1)
        assert await take(subscription, 1) == [b"1"]


async def test_a_reader_whose_queue_is_full_is_ended_and_the_others_read_on() -> None:
    feed = feed_of(queue=3)
    async with reading(feed) as (slow, ends), reading(feed) as (quick, others):
        for number in range(1, 7):
            feed.publish(b"%d" % number)
            assert await take(quick, 1) == [b"%d" % number]
        slow.offer(b": ping\n\n")

        assert ends == ["3 events were waiting"]
        assert others == []
    async with reading(feed, last=6) as (again, _):
        assert await take(again, 6) == [b"1", b"2", b"3", b"4", b"5", b"6"]


async def test_what_is_of_the_past_takes_no_place_in_the_queue() -> None:
    feed = feed_of(queue=2)
    publish(feed, 10)
    async with reading(feed, last=10) as (subscription, ends):
        publish(feed, 2)

        assert len(await take(subscription, 12)) == 12
        assert ends == []


async def test_an_offer_goes_to_one_reader_and_only_into_an_empty_queue() -> None:
    feed = feed_of()
    async with reading(feed) as (first, _), reading(feed) as (second, _):
        first.offer(b": ping\n\n")
        first.offer(b": ping\n\n")
        publish(feed, 1)

        assert await first.next() == b": ping\n\n"
        assert await take(first, 1) == [b"1"]
        assert await take(second, 1) == [b"1"]


async def test_closing_ends_every_reader_and_each_later_one() -> None:
    feed = feed_of()
    async with reading(feed) as (_, ends):
        feed.close("the end")
        assert ends == ["the end"]
    async with reading(feed) as (_, ends):
        assert ends == ["the end"]
    assert not feed.is_wanted


async def test_a_feed_without_history_is_wanted_while_somebody_reads() -> None:
    feed = feed_of(events=0)
    before = feed.is_wanted
    async with reading(feed):
        during = feed.is_wanted

    assert (before, during, feed.is_wanted) == (False, True, False)
    assert feed_of().is_wanted
