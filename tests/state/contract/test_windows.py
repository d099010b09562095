"""Windows that outlive their process."""

import asyncio
from datetime import timedelta

import pytest

from gateway.config.database import Place
from gateway.state.counters import Demand, Refused, Saved, Share
from gateway.state.memory import MemoryCounters
from gateway.state.sql.keeper import KeptState, open_kept
from gateway.testing.clock import ManualClock
from tests.state.contract.databases import made, rows_of

LIMIT = Demand("a", 10, (Share("requests", "a", 1, 3, 3600, 3600),))
AT = 1704067200  # What the wall clock of `ManualClock` begins with.


async def kept(place: Place, clock: ManualClock) -> KeptState:
    """Open the state as a start does, on tables that an operator has made."""
    await made(place)
    return await open_kept(place, MemoryCounters(clock, is_kept=True), clock)


async def used(state: KeptState, times: int = 1) -> None:
    """Take so many calls."""
    for _ in range(times):
        assert not isinstance(await state.counters.take(LIMIT), Refused)


class SteppedClock(ManualClock):
    """A clock whose wall can be set, as NTP or an operator does."""

    step = timedelta()

    def now(self):  # type: ignore[no-untyped-def]  # noqa: ANN201 - as the one above it.
        return super().now() + self.step


async def test_a_restart_gives_nobody_a_new_hour(place: Place) -> None:
    clock = ManualClock()
    before = await kept(place, clock)
    await used(before, 2)
    await before.aclose()
    clock.advance(600)

    after = await kept(place, clock)

    await used(after)
    refused = await after.counters.take(LIMIT)
    assert isinstance(refused, Refused)
    assert (refused.window.resets_at, refused.window.resets_in_s) == (AT + 3600, 3000)
    await after.aclose()


async def test_a_window_that_ended_meanwhile_is_gone(place: Place) -> None:
    clock = ManualClock()
    before = await kept(place, clock)
    await used(before, 3)
    await before.aclose()
    clock.advance(3601)

    after = await kept(place, clock)

    await used(after, 3)
    await after.aclose()


@pytest.mark.parametrize("ends_at", [AT + 90_000, AT + 3601, 1e300, float("inf")])
async def test_a_window_from_the_future_is_cut_to_its_period(ends_at: float) -> None:
    clock = ManualClock()
    counters = MemoryCounters(clock)

    counters.restore([Saved("a", 3600, 3, ends_at)])

    refused = await counters.take(LIMIT)
    assert isinstance(refused, Refused)
    assert refused.window.resets_in_s == 3600
    clock.advance(3600)
    assert not isinstance(await counters.take(LIMIT), Refused)


@pytest.mark.parametrize("hours", [-2, 2])
async def test_setting_the_clock_neither_locks_out_nor_lets_in(place: Place, hours: int) -> None:
    clock = SteppedClock()
    before = await kept(place, clock)
    await used(before, 3)
    await before.write()

    clock.step = timedelta(hours=hours)

    assert isinstance(await before.counters.take(LIMIT), Refused)
    clock.advance(1800)
    await before.aclose()
    after = await kept(place, clock)
    refused = await after.counters.take(LIMIT)
    assert isinstance(refused, Refused)
    assert refused.window.resets_in_s == 1800
    await after.aclose()


async def test_what_was_given_back_is_not_kept_as_used(place: Place) -> None:
    clock = ManualClock()
    before = await kept(place, clock)
    await used(before, 2)
    lease = await before.counters.take(LIMIT)
    assert not isinstance(lease, Refused)
    await before.write()
    lease.settle("requests", 0)
    await before.aclose()

    after = await kept(place, clock)

    await used(after)
    assert isinstance(await after.counters.take(LIMIT), Refused)
    await after.aclose()


async def test_what_changed_is_written_while_it_runs_and_nothing_without_a_change(
    place: Place,
) -> None:
    state = await kept(place, ManualClock())
    keeping = asyncio.ensure_future(state.keep())
    await used(state, 2)
    rows: list[tuple[object, ...]] = []
    async with asyncio.timeout(20):
        while not rows:
            await asyncio.sleep(0.05)
            rows = await rows_of(place, "SELECT key, used FROM windows")

    changed = state.counters.changes()

    assert rows == [("a", 2)]
    assert changed == []
    await state.aclose()
    await keeping
