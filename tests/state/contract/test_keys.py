"""Keys on each database: kept, found, changed, and noticed by a gateway that runs."""

import asyncio

import pytest

from gateway.config.database import Place
from gateway.state.keys import Key, KeyBookError, KeyQuery, digest_of, new_key, prefix_of
from gateway.state.memory import MemoryCounters
from gateway.state.sql.database import transact
from gateway.state.sql.keeper import KeptState, open_kept
from gateway.state.sql.key_book import open_key_book
from gateway.state.sql.keys import add_key, find_keys, read_keys
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
    old = new_key()
    key = a_key(old)

    await added(place, key)
    await state.read()
    assert state.keys.find(old) == key
    rotated, new = await open_key_book(place).rotate(key.id)
    await state.read()
    assert (state.keys.find(old), state.keys.find(new)) == (None, rotated)
    revoked = await open_key_book(place).revoke(key.id)
    await state.read()

    assert state.keys.find(new) is None
    assert await open_key_book(place).list(KeyQuery(with_revoked=True)) == [revoked]
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


async def test_of_many_that_change_what_they_saw_at_once_one_does(place: Place) -> None:
    await made(place)
    key = a_key(new_key())
    await added(place, key)
    book = open_key_book(place)

    async def change(owner: str) -> bool:
        try:
            await book.change(key.id, {"owner": owner}, seen={key.updated_at})
        except KeyBookError as error:
            return error.reason != "stale"
        return True

    owners = [f"owner {number}" for number in range(6)]
    done = await asyncio.gather(*map(change, owners))

    (after,) = await transact(place, read_keys)
    assert done.count(True) == 1
    assert after.owner == owners[done.index(True)]


async def test_the_key_book_makes_changes_and_ends_keys(place: Place) -> None:
    await made(place)
    book = open_key_book(place)

    key, text = await book.create({"name": "alice", "tags": ("a", "ä")})
    changed = await book.change(key.id, {"tags": ("b",), "expires_at": 9e9})
    rotated, second = await book.rotate(key.id)
    revoked = await book.revoke(key.id)

    assert (digest_of(text), digest_of(second)) == (key.digest, rotated.digest)
    assert (changed.tags, changed.expires_at, changed.digest) == (("b",), 9e9, key.digest)
    assert revoked.revoked_at is not None
    assert key.updated_at < changed.updated_at < rotated.updated_at < revoked.updated_at
    assert await book.list(KeyQuery()) == []
    assert await book.list(KeyQuery(with_revoked=True, tag="b")) == [revoked]
    with pytest.raises(KeyBookError, match="revoked"):
        await book.rotate(key.id)
