"""Keys on each database: kept, found, changed, and noticed by a gateway that runs."""

import asyncio
from dataclasses import replace

import pytest

from gateway.config.database import Place
from gateway.state.keys import Key, digest_of, new_key, prefix_of
from gateway.state.memory import MemoryCounters
from gateway.state.sql.database import Transaction, transact
from gateway.state.sql.keeper import KeptState, open_kept
from gateway.state.sql.keys import add_key, change_key, find_keys, read_keys
from gateway.testing.clock import ManualClock
from tests.state.contract.databases import made, rows_of


def a_key(text: str, id_: str = "key_1", *, created_at: float = 1.5) -> Key:
    """Return what is kept of the key `text`."""
    tags = ("one", "größe", "'; DROP TABLE keys; --")
    owner = 'Zoë "Z" \\ 😀'
    prefix = prefix_of(text)
    return Key(id_, digest_of(text), prefix, "n", owner, tags, "default", created_at, 9e9)


async def added(place: Place, *keys: Key) -> None:
    """Keep keys as the command line does."""
    for key in keys:
        await transact(place, lambda connection, key=key: add_key(connection, key))  # type: ignore[misc]


async def running(place: Place) -> KeptState:
    """Return the state of a gateway that runs."""
    return await open_kept(place, MemoryCounters(ManualClock()), ManualClock())


async def test_a_key_is_found_as_it_was_made(place: Place) -> None:
    await made(place)
    text = new_key()
    key = a_key(text)

    await added(place, key)

    for name in (key.id, key.prefix):
        assert await transact(place, lambda one, name=name: find_keys(one, name)) == [key]  # type: ignore[misc]
    assert await transact(place, lambda one: find_keys(one, "key_1' OR '1'='1")) == []
    state = await running(place)
    assert state.keys.find(text) == key
    assert state.keys.find(text.lower()) is None
    await state.aclose()


async def test_what_others_change_is_noticed(place: Place) -> None:
    await made(place)
    state = await running(place)
    old, new = new_key(), new_key()
    key = a_key(old)

    await added(place, key)
    await state.read()
    assert state.keys.find(old) == key
    rotated = replace(key, digest=digest_of(new), prefix=prefix_of(new))
    await transact(place, lambda one: change_key(one, rotated))
    await state.read()
    assert (state.keys.find(old), state.keys.find(new)) == (None, rotated)
    revoked = replace(rotated, revoked_at=2.0)
    await transact(place, lambda one: change_key(one, revoked))
    await state.read()

    assert state.keys.find(new) is None
    listed = await transact(place, lambda one: read_keys(one, with_revoked=True))
    assert listed == [revoked]
    await state.aclose()


@pytest.mark.parametrize(
    "change", ["UPDATE keys SET revoked_at = 1", "DELETE FROM keys WHERE id = 'key_1'"]
)
async def test_what_an_operator_changes_by_sql_is_noticed(place: Place, change: str) -> None:
    await made(place)
    text = new_key()
    await added(place, a_key(text))
    state = await running(place)
    assert state.keys.find(text) is not None

    await rows_of(place, change)
    await state.read()

    assert state.keys.find(text) is None
    await state.aclose()


async def test_a_gateway_that_runs_looks_by_itself(place: Place) -> None:
    await made(place)
    state = await running(place)
    keeping = asyncio.ensure_future(state.keep())
    text = new_key()

    await added(place, a_key(text))

    async with asyncio.timeout(20):
        while state.keys.find(text) is None:  # noqa: ASYNC110 - a look, not an event, finds it.
            await asyncio.sleep(0.02)
    await state.aclose()
    await keeping


async def test_without_a_change_no_key_is_read_again(place: Place) -> None:
    await made(place)
    text = new_key()
    await added(place, a_key(text))
    state = await running(place)
    before = state.keys.find(text)

    await rows_of(place, "DELETE FROM windows")
    await state.read()

    assert state.keys.find(text) is before
    await state.aclose()


async def test_keys_are_listed_in_the_order_they_were_made(place: Place) -> None:
    await made(place)
    keys = [a_key(new_key(), f"key_{number}", created_at=9 - number) for number in range(5)]

    await added(place, *keys)

    assert await transact(place, read_keys) == keys[::-1]


async def test_of_two_that_change_a_key_at_once_the_second_sees_the_first(place: Place) -> None:
    await made(place)
    key = a_key(new_key())
    await added(place, key)
    held = asyncio.Barrier(2)

    async def owner_grows(connection: Transaction, letter: str) -> None:
        (found,) = await find_keys(connection, key.id)
        await change_key(connection, replace(found, owner=found.owner + letter))

    async def one(letter: str) -> None:
        await held.wait()
        await transact(place, lambda connection: owner_grows(connection, letter))

    await asyncio.gather(one("a"), one("b"))

    (after,) = await transact(place, read_keys)
    assert sorted(after.owner.removeprefix(key.owner)) == ["a", "b"]
