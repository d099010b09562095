"""Counters of one process: what they do beyond test_counters.py, and by a clock that is set."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.state.counters import Refused
from gateway.state.memory import MemoryCounters, MemoryLease
from gateway.testing.clock import ManualClock
from tests.state.sharing import call_of, calls


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


async def test_a_new_window_lasts_its_period_to_the_second() -> None:
    clock = ManualClock()
    clock.advance(2 / 7)  # (1000 + 2/7 + 3600) - (1000 + 2/7) is more than 3600, for a computer.
    counters = MemoryCounters(clock)

    lease = await counters.take(calls("a", 1, 3600, 10))

    assert isinstance(lease, MemoryLease)
    assert lease.windows[0].resets_in_s == 3600


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


async def test_a_lease_sees_what_others_have_settled() -> None:
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
