"""Counters of one process."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.state.counters import CONCURRENT, Demand, Refused, Share
from gateway.state.memory import MemoryCounters, MemoryLease
from gateway.testing.clock import ManualClock


def calls(key: str, requests: int, period_s: int, concurrent: int) -> Demand:
    """What one call takes of a limit of so many requests."""
    share = Share("requests", key, 1, requests, period_s, period_s)
    return Demand(key, concurrent, (share,))


async def test_exactly_the_limit_is_admitted_and_remaining_counts_down_once_each() -> None:
    counters = MemoryCounters(ManualClock())
    limit = calls("a", 100, 3600, 1000)

    taken = [await counters.take(limit) for _ in range(250)]

    leases = [one for one in taken if not isinstance(one, Refused)]
    assert [lease.windows[0].remaining for lease in leases] == list(range(99, -1, -1))
    assert all(one.name == "requests" for one in taken if isinstance(one, Refused))


async def test_the_eleventh_at_once_is_refused_and_not_counted() -> None:
    counters = MemoryCounters(ManualClock())
    limit = calls("a", 100, 3600, 10)
    leases = [await counters.take(limit) for _ in range(10)]

    refused = await counters.take(limit)

    assert isinstance(refused, Refused)
    assert (refused.name, refused.window.remaining) == (CONCURRENT, 90)
    first = leases[0]
    assert isinstance(first, MemoryLease)
    first.release()
    first.release()
    assert not isinstance(await counters.take(limit), Refused)
    assert isinstance(await counters.take(limit), Refused)


async def test_a_window_begins_with_its_first_call_and_ends_a_period_later() -> None:
    clock = ManualClock()
    counters = MemoryCounters(clock)
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


async def test_a_refund_gives_the_call_back_in_its_own_window_only() -> None:
    clock = ManualClock()
    counters = MemoryCounters(clock)
    limit = calls("a", 2, 60, 10)
    lease = await counters.take(limit)
    assert isinstance(lease, MemoryLease)

    lease.settle("requests", 0)
    assert lease.windows[0].remaining == 2
    old = await counters.take(limit)
    clock.advance(61)
    new = await counters.take(limit)
    assert isinstance(old, MemoryLease)
    assert isinstance(new, MemoryLease)
    old.settle("requests", 0)

    assert new.windows[0].remaining == 1
    following = await counters.take(limit)
    assert isinstance(following, MemoryLease)
    assert following.windows[0].remaining == 0


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


async def test_all_shares_are_taken_or_none() -> None:
    counters = MemoryCounters(ManualClock())
    first = await counters.take(call_of(60))
    assert isinstance(first, MemoryLease)

    refused = await counters.take(call_of(41))
    fitting = await counters.take(call_of(40))

    assert isinstance(refused, Refused)
    assert (refused.name, refused.window.limit, refused.window.remaining) == ("tokens", 100, 40)
    assert isinstance(fitting, MemoryLease)
    assert [window.remaining for window in fitting.windows] == [998, 0]


async def test_what_is_settled_replaces_what_was_taken_even_past_the_limit() -> None:
    counters = MemoryCounters(ManualClock())
    cheap, dear = await counters.take(call_of(50)), await counters.take(call_of(50))
    assert isinstance(cheap, MemoryLease)
    assert isinstance(dear, MemoryLease)

    cheap.settle("tokens", 10)
    dear.settle("tokens", 120)
    dear.settle("tokens", 80)

    assert [window.remaining for window in dear.windows] == [998, 10]
    assert isinstance(await counters.take(call_of(11)), Refused)
    assert isinstance(await counters.take(call_of(10)), MemoryLease)


async def test_what_is_settled_after_the_windows_end_is_not_the_next_ones() -> None:
    clock = ManualClock()
    counters = MemoryCounters(clock)
    late = await counters.take(call_of(10))
    assert isinstance(late, MemoryLease)
    clock.advance(61)
    await counters.take(call_of(10))

    late.settle("tokens", 90)

    assert isinstance(await counters.take(call_of(90)), MemoryLease)


async def test_a_window_may_end_before_its_period_is_over() -> None:
    clock = ManualClock()
    counters = MemoryCounters(clock)
    await counters.take(call_of(100, lasts_s=5))

    refused = await counters.take(call_of(1))
    clock.advance(5)
    after = await counters.take(call_of(1))

    assert isinstance(refused, Refused)
    assert refused.window.resets_in_s == 5
    assert isinstance(after, MemoryLease)


async def test_memory_is_bounded_by_the_capacity() -> None:
    counters = MemoryCounters(ManualClock(), capacity=3)

    for number in range(10):
        lease = await counters.take(calls(str(number), 1, 60, 1))
        assert isinstance(lease, MemoryLease)
        lease.release()

    assert isinstance(await counters.take(calls("9", 1, 60, 1)), Refused)
    assert not isinstance(await counters.take(calls("0", 1, 60, 1)), Refused)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=80))
async def test_no_window_ever_admits_more_than_its_limit(steps: list[tuple[int, bool]]) -> None:
    clock = ManualClock()
    counters = MemoryCounters(clock)
    limit = calls("a", 5, 60, 3)
    began: list[float] = []
    held: list[MemoryLease] = []
    for wait_s, is_released in steps:
        clock.advance(wait_s)
        if is_released and held:
            held.pop().release()
        taken = await counters.take(limit)
        if not isinstance(taken, Refused):
            began.append(clock.monotonic())
            held.append(taken)
        assert len(held) <= 3

    start = None
    count = 0
    for at in began:
        if start is None or at - start >= 60:
            start, count = at, 0
        count += 1
        assert count <= 5
