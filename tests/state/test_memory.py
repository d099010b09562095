"""Counters of one process."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.state.counters import Demand, Refused, Share
from gateway.state.memory import MemoryCounters, MemoryLease
from gateway.testing.clock import ManualClock


def calls(key: str, requests: int, period_s: int, concurrent: int) -> Demand:
    """What one call takes of a limit of so many requests."""
    share = Share("requests", key, 1, requests, period_s, period_s)
    return Demand(key, concurrent, (share,))


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
