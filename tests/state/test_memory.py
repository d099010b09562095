"""Counters of one process."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.state.counters import Limit, Refused
from gateway.state.memory import MemoryCounters, MemoryLease
from gateway.testing.clock import ManualClock


async def test_exactly_the_limit_is_admitted_and_remaining_counts_down_once_each() -> None:
    counters = MemoryCounters(ManualClock())
    limit = Limit("a", 100, 3600, 1000)

    taken = [await counters.take(limit) for _ in range(250)]

    leases = [one for one in taken if not isinstance(one, Refused)]
    assert [lease.window.remaining for lease in leases] == list(range(99, -1, -1))
    assert all(one.is_window for one in taken if isinstance(one, Refused))


async def test_the_eleventh_at_once_is_refused_and_not_counted() -> None:
    counters = MemoryCounters(ManualClock())
    limit = Limit("a", 100, 3600, 10)
    leases = [await counters.take(limit) for _ in range(10)]

    refused = await counters.take(limit)

    assert isinstance(refused, Refused)
    assert (refused.is_window, refused.window.remaining) == (False, 90)
    first = leases[0]
    assert isinstance(first, MemoryLease)
    first.release()
    first.release()
    assert not isinstance(await counters.take(limit), Refused)
    assert isinstance(await counters.take(limit), Refused)


async def test_a_window_begins_with_its_first_call_and_ends_a_period_later() -> None:
    clock = ManualClock()
    counters = MemoryCounters(clock)
    limit = Limit("a", 1, 3600, 10)
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
    limit = Limit("a", 2, 60, 10)
    lease = await counters.take(limit)
    assert isinstance(lease, MemoryLease)

    lease.refund()
    assert lease.window.remaining == 2
    old = await counters.take(limit)
    clock.advance(61)
    new = await counters.take(limit)
    assert isinstance(old, MemoryLease)
    assert isinstance(new, MemoryLease)
    old.refund()

    assert new.window.remaining == 1
    following = await counters.take(limit)
    assert following.window.remaining == 0


async def test_memory_is_bounded_by_the_capacity() -> None:
    counters = MemoryCounters(ManualClock(), capacity=3)

    for number in range(10):
        lease = await counters.take(Limit(str(number), 1, 60, 1))
        assert isinstance(lease, MemoryLease)
        lease.release()

    assert isinstance(await counters.take(Limit("9", 1, 60, 1)), Refused)
    assert not isinstance(await counters.take(Limit("0", 1, 60, 1)), Refused)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=80))
async def test_no_window_ever_admits_more_than_its_limit(steps: list[tuple[int, bool]]) -> None:
    clock = ManualClock()
    counters = MemoryCounters(clock)
    limit = Limit("a", 5, 60, 3)
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
