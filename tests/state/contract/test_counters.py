"""What holds for counters, wherever they count."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.config.database import Place, PostgresPlace
from gateway.state.counters import CONCURRENT, Counters, Demand, Share, Standing, Used
from gateway.state.memory import MemoryCounters
from gateway.state.sql.keeper import open_kept
from gateway.testing.clock import ManualClock
from tests.state.contract.conftest import KINDS
from tests.state.contract.databases import made
from tests.state.sharing import admitted, call_of, calls, many, refused, sharing


@pytest.fixture(params=["memory", *KINDS, "valkey"])
async def counters(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Counters]:
    """Counters as a gateway with that state has them; they have counted nothing yet."""
    if request.param == "valkey":
        async with sharing(request.getfixturevalue("valkey")) as shared:
            yield shared
        return
    clock = ManualClock()
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


async def test_exactly_the_limit_is_admitted_and_remaining_counts_down_once_each(
    counters: Counters,
) -> None:
    leases = await many(counters, calls("a", 100, 3600, 1000), 250)

    assert [lease.windows[0].remaining for lease in leases] == list(range(99, -1, -1))
    assert (await refused(counters, calls("a", 100, 3600, 1000))).name == "requests"


async def test_of_10_000_at_once_exactly_the_limit_is_admitted(counters: Counters) -> None:
    leases = await many(counters, calls("a", 1234, 3600, 100_000), 10_000)

    assert sorted(lease.windows[0].remaining for lease in leases) == list(range(1234))


async def test_of_10_000_at_once_exactly_as_many_run_as_may(counters: Counters) -> None:
    leases = await many(counters, calls("a", 100_000, 3600, 321), 10_000)

    assert len(leases) == 321


async def test_the_eleventh_at_once_is_refused_and_not_counted(counters: Counters) -> None:
    limit = calls("a", 100, 3600, 10)
    leases = [await admitted(counters, limit) for _ in range(10)]

    eleventh = await refused(counters, limit)

    assert (eleventh.name, eleventh.window.remaining) == (CONCURRENT, 90)
    leases[0].release()
    leases[0].release()
    await admitted(counters, limit)
    await refused(counters, limit)


async def test_callers_are_counted_each_for_itself(counters: Counters) -> None:
    await admitted(counters, calls("2001:db8::/64", 1, 60, 1))

    await refused(counters, calls("2001:db8::/64", 1, 60, 1))
    await admitted(counters, calls("key:key_1", 1, 60, 1))


async def test_a_window_says_when_it_resets_and_goes_on_saying_it(counters: Counters) -> None:
    limit = calls("a", 2, 3600, 10)
    first = await admitted(counters, limit)
    second = await admitted(counters, limit)
    third = await refused(counters, limit)

    windows = [first.windows[0], second.windows[0], third.window]
    assert len({window.resets_at for window in windows}) == 1
    assert all(0 < window.resets_in_s <= 3600 for window in windows)
    assert [window.remaining for window in windows] == [1, 0, 0]


async def test_all_shares_are_taken_or_none(counters: Counters) -> None:
    await admitted(counters, call_of(60))

    too_many = await refused(counters, call_of(41))
    fitting = await admitted(counters, call_of(40))

    assert (too_many.name, too_many.window.limit, too_many.window.remaining) == ("tokens", 100, 40)
    assert [window.remaining for window in fitting.windows] == [998, 0]


async def test_what_is_refused_before_its_window_began_begins_none(counters: Counters) -> None:
    too_many = await refused(counters, call_of(101))

    assert (too_many.window.remaining, too_many.window.resets_in_s) == (100, 60)
    assert (await admitted(counters, call_of(100))).windows[1].remaining == 0


async def test_a_refund_gives_the_call_back(counters: Counters) -> None:
    limit = calls("a", 2, 60, 10)
    lease = await admitted(counters, limit)

    lease.settle("requests", 0)
    lease.settle("requests", 0)

    assert lease.windows[0].remaining == 2
    assert len(await many(counters, limit, 3)) == 2


async def test_what_is_settled_replaces_what_was_taken_even_past_the_limit(
    counters: Counters,
) -> None:
    cheap, dear = await admitted(counters, call_of(50)), await admitted(counters, call_of(50))

    cheap.settle("tokens", 10)
    dear.settle("tokens", 120)
    await refused(counters, call_of(1))
    dear.settle("tokens", 80)

    await refused(counters, call_of(11))
    await admitted(counters, call_of(10))


async def test_a_window_that_several_callers_share_is_one(counters: Counters) -> None:
    def of(caller: str) -> Demand:
        return Demand(caller, 10, (Share("budget", "budget:team", 60, 100, 86400, 86400),))

    await admitted(counters, of("key:a"))

    await refused(counters, of("key:b"))


async def test_the_largest_amounts_are_exact(counters: Counters) -> None:
    most = 2**50
    share = Share("budget", "a", most - 1, most, 86400, 86400)

    lease = await admitted(counters, Demand("a", 10, (share,)))
    last = await admitted(counters, Demand("a", 10, (share._replace(amount=1),)))

    assert (lease.windows[0].remaining, last.windows[0].remaining) == (1, 0)


async def test_looking_counts_nothing_and_sees_what_was_counted(counters: Counters) -> None:
    before = await counters.look(call_of(0))
    lease = await admitted(counters, call_of(60))

    during = [await counters.look(call_of(0)) for _ in range(3)]

    assert before == Standing((Used(0, None), Used(0, None)), 0)
    ends = [window.resets_at for window in lease.windows]
    assert set(during) == {Standing((Used(1, ends[0]), Used(60, ends[1])), 1)}
