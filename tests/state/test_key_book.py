"""The key book of a running gateway: what it keeps is what callers can use, whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.background import Background
from gateway.state.counters import Demand, Refused, Share, Standing, Used
from gateway.state.errors import StateError
from gateway.state.key_fields import FieldError, KeyFields, check
from gateway.state.keys import HeldKeys, Key, KeyBookError, digest_of, new_key
from gateway.state.memory import MemoryCounters
from gateway.state.sql.keeper import KeptState, open_kept
from gateway.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """The clock of `state`."""
    return ManualClock()


@pytest.fixture
async def state(file: Path, clock: ManualClock) -> AsyncIterator[KeptState]:
    """The state of a running gateway, which nobody keeps but the test."""
    kept = await open_kept(file, MemoryCounters(clock), clock)
    yield kept
    await kept.aclose()


async def test_what_is_done_is_held_at_once(state: KeptState) -> None:
    book = state.key_book

    key, text = await book.create({"name": "a"})
    assert state.keys.find(text) == key
    rotated, new = await book.rotate(key.id)
    assert (state.keys.find(text), state.keys.find(new)) == (None, rotated)
    changed = await book.change(key.id, {"owner": "b"}, seen={rotated.updated_at})
    assert state.keys.find(new) == changed
    await book.revoke(key.id)

    assert state.keys.find(new) is None


@pytest.mark.parametrize("hours", [-2, 0, 2])
async def test_every_version_is_another_even_where_the_clock_stands_or_goes_back(
    state: KeptState, clock: ManualClock, hours: int
) -> None:
    book = state.key_book
    key, _ = await book.create({"name": "a"})
    clock.set_wall(hours * 3600)
    changes = [await book.change(key.id, {"owner": str(number)}) for number in range(3)]
    versions = [one.updated_at for one in (key, *changes)]

    for old in versions[:-1]:
        with pytest.raises(KeyBookError) as refused:
            await book.change(key.id, {"owner": "x"}, seen={old})
        assert refused.value.reason == "stale"

    assert versions == sorted(set(versions))
    assert (await book.change(key.id, {"owner": "x"}, seen={versions[-1]})).owner == "x"


@pytest.mark.parametrize("turns", range(1, 14))
async def test_whoever_leaves_midway_leaves_callers_and_database_of_one_mind(
    state: KeptState, turns: int
) -> None:
    book, background = state.key_book, Background()
    key, text = await book.create({"name": "a"})
    revoking = asyncio.ensure_future(background.finish("admin", book.revoke(key.id)))
    for _ in range(turns):
        await asyncio.sleep(0)

    revoking.cancel()
    await asyncio.gather(revoking, return_exceptions=True)
    await state.read()

    kept = await book.get(key.id)
    assert kept is not None
    assert (state.keys.find(text) is None) == (kept.revoked_at is not None)
    other, new = await book.create({"name": "b"})
    assert state.keys.find(new) == other
    await background.aclose()


async def test_a_database_that_is_gone_is_said_and_heals(state: KeptState, file: Path) -> None:
    key, text = await state.key_book.create({"name": "a"})
    file.rename(file.with_name("away.sqlite"))

    with pytest.raises(StateError, match="cannot be used now"):
        await state.key_book.revoke(key.id)
    assert state.keys.find(text) == key
    file.with_name("away.sqlite").rename(file)
    await state.key_book.revoke(key.id)

    assert state.keys.find(text) is None


def test_a_key_that_is_put_takes_the_place_of_its_old_text() -> None:
    held, first, second = HeldKeys(), new_key(), new_key()
    old = Key("key_1", digest_of(first), "", "", "", (), "", 0.0)
    held.hold([old])
    new = Key("key_1", digest_of(second), "", "", "", (), "", 0.0)

    held.put(new)

    assert (held.find(first), held.find(second)) == (None, new)


@pytest.mark.parametrize(
    "name", ["山田\u3000太郎", "नि\u200dर्देश", "O'Brien; DROP TABLE", "👩\u200d🔬"]
)
def test_people_and_things_may_be_called_as_they_are(name: str) -> None:
    check({"name": name, "owner": name, "tags": (name,)}, 0.0)


@pytest.mark.parametrize(
    "char", ["\x00", "\n", "\x1b", "\x7f", "\u2028", "\u202e", "\ufeff", "\udc80"]
)
def test_what_a_terminal_would_obey_is_no_name(char: str) -> None:
    fields: KeyFields = {"name": f"a{char}b"}

    with pytest.raises(FieldError, match="not shown"):
        check(fields, 0.0)


async def test_looking_counts_nothing_and_sees_what_was_counted() -> None:
    clock = ManualClock()
    counters = MemoryCounters(clock)
    limit = Demand("a", 3, (Share("requests", "a", 1, 3, 60, 60),))
    before = await counters.look(limit)
    lease = await counters.take(limit)
    assert not isinstance(lease, Refused)

    during = [await counters.look(limit) for _ in range(5)]

    assert before == Standing((Used(0, None),), 0)
    assert set(during) == {Standing((Used(1, lease.windows[0].resets_at),), 1)}
    clock.advance(60)
    assert (await counters.look(limit)) == Standing((Used(0, None),), 1)
