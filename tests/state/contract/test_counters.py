"""Counters of every kind of state: exactly the limit, all limits of a call or none."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.config.database import Place, PostgresPlace
from gateway.state.counters import CONCURRENT, Counters, Demand, Refused, Share
from gateway.state.memory import MemoryCounters
from gateway.state.sql.keeper import open_kept
from gateway.testing.clock import ManualClock
from tests.state.contract.conftest import KINDS
from tests.state.contract.databases import made


@pytest.fixture
def clock() -> ManualClock:
    """What the counters count by."""
    return ManualClock()


@pytest.fixture(params=["memory", *KINDS])
async def counters(
    request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path
) -> AsyncIterator[Counters]:
    """Counters as a gateway with that state has them."""
    own = MemoryCounters(clock, is_kept=request.param != "memory")
    if request.param == "memory":
        yield own
        return
    place: Place = tmp_path / "state.sqlite"
    if request.param == "postgresql":
        place = PostgresPlace(request.getfixturevalue("postgres_url"))
    await made(place)
    state = await open_kept(place, own, clock)
    yield state.counters
    await state.aclose()


def calls(key: str, requests: int, period_s: int, concurrent: int) -> Demand:
    """What one call takes of a limit of so many requests."""
    share = Share("requests", key, 1, requests, period_s, period_s)
    return Demand(key, concurrent, (share,))


def call_of(tokens: int, *, limit: int = 100, lasts_s: int = 60) -> Demand:
    """What a call of so many tokens takes; requests are hardly limited."""
    return Demand(
        "a",
        10,
        (
            Share("requests", "a", 1, 1000, 3600, 3600),
            Share("tokens", "tokens:a", tokens, limit, 60, lasts_s),
        ),
    )


async def test_of_many_at_once_exactly_the_limit_is_admitted(counters: Counters) -> None:
    limit = calls("a", 1000, 3600, 10_000)

    taken = await asyncio.gather(*(counters.take(limit) for _ in range(10_000)))

    assert sum(not isinstance(one, Refused) for one in taken) == 1000


async def test_exactly_the_limit_is_admitted_and_remaining_counts_down_once_each(
    counters: Counters,
) -> None:
    limit = calls("a", 100, 3600, 1000)

    taken = [await counters.take(limit) for _ in range(250)]

    leases = [one for one in taken if not isinstance(one, Refused)]
    assert [lease.windows[0].remaining for lease in leases] == list(range(99, -1, -1))
    assert all(one.name == "requests" for one in taken if isinstance(one, Refused))


async def test_the_eleventh_at_once_is_refused_and_not_counted(counters: Counters) -> None:
    limit = calls("a", 100, 3600, 10)
    leases = [await counters.take(limit) for _ in range(10)]

    refused = await counters.take(limit)

    assert isinstance(refused, Refused)
    assert (refused.name, refused.window.remaining) == (CONCURRENT, 90)
    first = leases[0]
    assert not isinstance(first, Refused)
    first.release()
    first.release()
    assert not isinstance(await counters.take(limit), Refused)
    assert isinstance(await counters.take(limit), Refused)


async def test_a_window_begins_with_its_first_call_and_ends_a_period_later(
    counters: Counters, clock: ManualClock
) -> None:
    limit = calls("a", 1, 3600, 10)
    clock.advance(1000)
    await counters.take(limit)

    clock.advance(3599)
    before = await counters.take(limit)
    clock.advance(1)
    after = await counters.take(limit)

    assert isinstance(before, Refused)
    assert before.window.resets_in_s == 1
    assert not isinstance(after, Refused)


async def test_a_refund_gives_the_call_back_in_its_own_window_only(
    counters: Counters, clock: ManualClock
) -> None:
    limit = calls("a", 2, 60, 10)
    lease = await counters.take(limit)
    assert not isinstance(lease, Refused)

    lease.settle("requests", 0)
    assert lease.windows[0].remaining == 2
    old = await counters.take(limit)
    clock.advance(61)
    new = await counters.take(limit)
    assert not isinstance(old, Refused)
    assert not isinstance(new, Refused)
    old.settle("requests", 0)

    assert new.windows[0].remaining == 1
    following = await counters.take(limit)
    assert not isinstance(following, Refused)
    assert following.windows[0].remaining == 0


async def test_all_shares_are_taken_or_none(counters: Counters) -> None:
    first = await counters.take(call_of(60))
    assert not isinstance(first, Refused)

    refused = await counters.take(call_of(41))
    fitting = await counters.take(call_of(40))

    assert isinstance(refused, Refused)
    assert (refused.name, refused.window.limit, refused.window.remaining) == ("tokens", 100, 40)
    assert not isinstance(fitting, Refused)
    assert [window.remaining for window in fitting.windows] == [998, 0]


async def test_what_is_settled_replaces_what_was_taken_even_past_the_limit(
    counters: Counters,
) -> None:
    cheap, dear = await counters.take(call_of(50)), await counters.take(call_of(50))
    assert not isinstance(cheap, Refused)
    assert not isinstance(dear, Refused)

    cheap.settle("tokens", 10)
    dear.settle("tokens", 120)
    dear.settle("tokens", 80)

    assert [window.remaining for window in dear.windows] == [998, 10]
    assert isinstance(await counters.take(call_of(11)), Refused)
    assert not isinstance(await counters.take(call_of(10)), Refused)


async def test_what_is_settled_after_the_windows_end_is_not_the_next_ones(
    counters: Counters, clock: ManualClock
) -> None:
    late = await counters.take(call_of(10))
    assert not isinstance(late, Refused)
    clock.advance(61)
    await counters.take(call_of(10))

    late.settle("tokens", 90)

    assert not isinstance(await counters.take(call_of(90)), Refused)


async def test_a_window_may_end_before_its_period_is_over(
    counters: Counters, clock: ManualClock
) -> None:
    await counters.take(call_of(100, lasts_s=5))

    refused = await counters.take(call_of(1))
    clock.advance(5)
    after = await counters.take(call_of(1))

    assert isinstance(refused, Refused)
    assert refused.window.resets_in_s == 5
    assert not isinstance(after, Refused)
