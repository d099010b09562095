"""The clock that a test sets."""

from datetime import UTC, datetime

import pytest

from gateway.sdk import Clock
from gateway.testing.clock import ManualClock


def test_time_stands_still_until_it_is_advanced() -> None:
    clock: Clock = ManualClock()

    assert clock.monotonic() == clock.monotonic()
    assert clock.now() == clock.now()


def test_both_readings_move_together() -> None:
    clock = ManualClock(start=datetime(2026, 1, 1, tzinfo=UTC))
    before = clock.monotonic()

    clock.advance(90.5)

    assert clock.monotonic() - before == 90.5
    assert clock.now() == datetime(2026, 1, 1, 0, 1, 30, 500_000, tzinfo=UTC)


def test_the_wall_may_be_set_without_time_passing() -> None:
    clock = ManualClock(start=datetime(2026, 1, 1, 2, tzinfo=UTC))

    clock.set_wall(-7200)

    assert clock.monotonic() == 1000
    assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC)


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        ManualClock().advance(-1)
