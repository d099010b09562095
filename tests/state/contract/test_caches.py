"""What holds for caches, wherever they keep."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.background import Background
from gateway.state.cache import Cache
from gateway.state.condition import Condition
from gateway.state.memory_cache import OVERHEAD_BYTES, MemoryCache
from gateway.state.valkey.cache import ValkeyCache
from gateway.state.valkey.commands import Commands
from gateway.state.valkey.scripts import KEEP
from gateway.state.valkey.server import Server
from gateway.testing.clock import ManualClock
from tests.state.sharing import PATIENT_S
from tests.valkey import TestValkey, client

SIZE = 10_000


@asynccontextmanager
async def keeping(url: str) -> AsyncIterator[ValkeyCache]:
    """Give a cache as one process of a gateway has it."""
    condition, background = Condition("the server"), Background()
    scripts = [KEEP.text]
    commands = Commands(Server(url), condition, "answers", scripts=scripts, answer_s=PATIENT_S)
    await commands.open()
    background.start("commands", commands.run())
    own = MemoryCache(ManualClock(), size_bytes=SIZE)
    try:
        yield ValkeyCache("test", commands, own, size_bytes=SIZE, answer_s=PATIENT_S)
    finally:
        await commands.aclose()
        await background.aclose()


@pytest.fixture(params=["memory", "valkey"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    """A cache that holds nothing yet, of 10,000 bytes."""
    if request.param == "memory":
        yield MemoryCache(ManualClock(), size_bytes=SIZE)
        return
    async with keeping(request.getfixturevalue("valkey")) as shared:
        yield shared


async def test_what_is_put_is_there_until_it_is_dropped(cache: Cache) -> None:
    cache.put("a", b"one", 60)
    cache.put("a", b"two\0\xff", 60)
    assert await cache.get("a") == b"two\0\xff"
    assert await cache.get("b") is None

    cache.drop("a")
    cache.drop("b")

    assert await cache.get("a") is None


async def test_one_of_many_gets_a_claim_and_the_others_what_it_puts(cache: Cache) -> None:
    claims = [cache.claim("a", b"%d" % number, 60) for number in range(50)]

    found = await asyncio.gather(*claims)

    assert found.count(None) == 1
    assert {one for one in found if one is not None} == {b"%d" % found.index(None)}


async def test_what_was_claimed_can_be_kept_longer_and_dropped(cache: Cache) -> None:
    assert await cache.claim("a", b"mark", 60) is None
    cache.put("a", b"answer", 60)
    assert await cache.claim("a", b"mark", 60) == b"answer"

    cache.drop("a")

    assert await cache.claim("a", b"mark", 60) is None


async def test_all_together_are_no_larger_than_allowed(cache: Cache) -> None:
    names = [f"entry{number:02}" for number in range(30)]
    for name in names:
        cache.put(name, b"x" * (1000 - OVERHEAD_BYTES), 60)

    kept = [name for name in names if await cache.get(name) is not None]

    assert kept == names[-10:]


async def test_what_is_too_large_is_not_kept_and_nothing_goes_for_it(cache: Cache) -> None:
    cache.put("a", b"x", 60)

    cache.put("b", b"x" * SIZE, 60)

    assert await cache.get("a") == b"x"
    assert await cache.get("b") is None


async def test_what_has_ended_is_not_there_and_makes_room() -> None:
    clock = ManualClock()
    cache = MemoryCache(clock, size_bytes=SIZE)
    cache.put("a", b"x", 60)
    clock.advance(61)

    assert await cache.get("a") is None
    assert cache.size_bytes == 0


async def test_what_has_ended_at_the_server_is_not_counted_for_ever(valkey: str) -> None:
    async with keeping(valkey) as cache:
        for number in range(5):
            cache.put(f"short{number}", b"x", 60)
        assert await cache.get("short4") == b"x"
        with client(valkey) as server:
            # As if their time were over.
            server.delete(*(f"dynagate:{{test}}:short{number}" for number in range(5)))

        cache.put("a", b"x", 60)
        assert await cache.get("a") == b"x"

    with client(valkey) as server:
        assert server.hgetall("dynagate:{test}:sizes") == {
            b"": b"%d" % (OVERHEAD_BYTES + 1),
            b"a": b"%d" % (OVERHEAD_BYTES + 1),
        }
        assert all(server.pttl(key) > 0 for key in server.scan_iter())


async def test_two_processes_share_what_they_keep(valkey: str) -> None:
    async with keeping(valkey) as one, keeping(valkey) as other:
        one.put("a", b"x", 60)
        assert await one.get("a") == b"x"

        assert await other.get("a") == b"x"
        assert await other.claim("a", b"mark", 60) == b"x"


async def test_each_keeps_for_itself_while_the_server_is_down(own_valkey: TestValkey) -> None:
    async with keeping(own_valkey.url) as cache:
        cache.put("a", b"x", 60)
        assert await cache.get("a") == b"x"
        own_valkey.kill()

        assert await cache.get("a") is None
        assert await cache.claim("a", b"mark", 60) is None
        cache.put("a", b"y", 60)

        assert await cache.claim("a", b"mark", 60) == b"y"
