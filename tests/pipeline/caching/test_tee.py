"""One stream for several readers: nobody waits for a slow one, and memory has a bound."""

import asyncio

import pytest

from gateway.pipeline.caching.tee import Reader, Tee
from gateway.schema.failure import CallError


async def rest(reader: Reader) -> list[int]:
    """Return what comes until the end."""
    return [item async for item in reader]


async def fill(tee: Tee, count: int) -> None:
    """Put so many items of 10 bytes in, and end."""
    for number in range(count):
        await tee.put(number, 10)
    tee.end()


async def test_each_reads_all_from_the_beginning_whenever_it_comes() -> None:
    tee = Tee(100)
    early = tee.reader()
    await fill(tee, 5)
    late = tee.reader()

    assert await rest(early) == await rest(late) == [0, 1, 2, 3, 4]


async def test_a_reader_waits_for_what_comes() -> None:
    tee = Tee(100)
    reading = asyncio.ensure_future(rest(tee.reader()))

    await fill(tee, 3)

    assert await reading == [0, 1, 2]


async def test_the_maker_waits_for_a_single_reader_once_much_is_held() -> None:
    tee = Tee(100)
    reader = tee.reader()
    making = asyncio.ensure_future(fill(tee, 100))
    await asyncio.wait({making}, timeout=0)
    for _ in range(20):
        await asyncio.sleep(0)

    assert not making.done()
    assert not tee.is_whole
    assert await rest(reader) == list(range(100))
    await making


async def test_a_slow_reader_is_cut_off_and_the_quick_one_reads_on() -> None:
    tee = Tee(100)
    slow, quick = tee.reader(), tee.reader()
    making = asyncio.ensure_future(fill(tee, 100))

    assert await rest(quick) == list(range(100))
    await making
    with pytest.raises(CallError, match="more slowly"):
        await anext(slow)


async def test_nobody_holds_the_maker_up_when_all_have_left() -> None:
    tee = Tee(100)
    reader = tee.reader()
    making = asyncio.ensure_future(fill(tee, 100))
    for _ in range(20):
        await asyncio.sleep(0)

    reader.leave()
    reader.leave()

    await making


async def test_an_error_comes_after_what_was_said_before_it() -> None:
    tee = Tee(100)
    first, second = tee.reader(), tee.reader()
    await tee.put("said", 4)
    tee.end(CallError("upstream_failed", "it broke off"))

    for reader in (first, second):
        assert await anext(reader) == "said"
        with pytest.raises(CallError, match="it broke off"):
            await anext(reader)
