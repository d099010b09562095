"""Alarms on a loop whose time the test moves."""

import asyncio
from collections.abc import Callable
from math import inf
from typing import cast

import pytest

from gateway.transport.alarm import Alarm, Alarms


class Timer:
    """What `call_at` returns."""

    def __init__(self, due: float, call: Callable[[], None]) -> None:
        self.due = due
        self.call = call
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class ManualLoop:
    """The part of an event loop that alarms use, with time that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_at(self, due: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(due, call))
        return self.timers[-1]

    def run_until(self, now: float) -> None:
        while due := [t for t in self.timers if not t.is_cancelled and t.due <= now]:
            timer = min(due, key=lambda t: t.due)
            self.timers.remove(timer)
            self.now = max(self.now, timer.due)
            timer.call()
        self.now = now


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture
def alarms(loop: ManualLoop) -> Alarms:
    return Alarms(cast("asyncio.AbstractEventLoop", loop))


@pytest.fixture
def rung() -> list[str]:
    return []


class Bell(Alarm):
    """Notes that it rang."""

    def __init__(self, alarms: Alarms, rung: list[str], name: str, last: float) -> None:
        super().__init__(alarms, last=last)
        self._rung = rung
        self._name = name

    def ring(self) -> None:
        self._rung.append(self._name)


def alarm(alarms: Alarms, rung: list[str], name: str = "a", *, last: float = inf) -> Alarm:
    return Bell(alarms, rung, name, last)


def test_an_alarm_rings_once_when_its_bound_has_passed(
    loop: ManualLoop, alarms: Alarms, rung: list[str]
) -> None:
    alarm(alarms, rung).within(5)

    loop.run_until(104.9)
    early = list(rung)
    loop.run_until(200)

    assert (early, rung) == ([], ["a"])


def test_a_bound_that_moves_out_of_the_way_does_not_ring_early(
    loop: ManualLoop, alarms: Alarms, rung: list[str]
) -> None:
    moved = alarm(alarms, rung)
    for second in range(1, 20):
        moved.within(5)
        loop.run_until(100 + second)
    early = list(rung)
    loop.run_until(200)

    assert (early, rung) == ([], ["a"])


def test_moving_a_bound_makes_no_timers(loop: ManualLoop, alarms: Alarms, rung: list[str]) -> None:
    moved = alarm(alarms, rung)
    for _ in range(1000):
        moved.within(5)
        moved.off()

    assert len(loop.timers) == 1


def test_a_nearer_bound_rings_before_a_farther_one(
    loop: ManualLoop, alarms: Alarms, rung: list[str]
) -> None:
    alarm(alarms, rung, "far").within(60)
    alarm(alarms, rung, "near").within(1)
    alarm(alarms, rung, "middle").within(30)

    loop.run_until(200)

    assert rung == ["near", "middle", "far"]


def test_what_is_off_does_not_ring(loop: ManualLoop, alarms: Alarms, rung: list[str]) -> None:
    off = alarm(alarms, rung)
    off.within(1)
    off.off()

    loop.run_until(200)

    assert rung == []


def test_no_bound_goes_past_the_last_moment(
    loop: ManualLoop, alarms: Alarms, rung: list[str]
) -> None:
    hurried = alarm(alarms, rung, last=103.0)
    hurried.within(None)
    loop.run_until(103.5)
    again = hurried.within(60)

    assert (rung, again, hurried.is_past_last) == (["a"], False, True)


def test_without_any_bound_there_is_no_timer(
    loop: ManualLoop, alarms: Alarms, rung: list[str]
) -> None:
    assert alarm(alarms, rung).within(None)
    assert loop.timers == []


def test_closing_all_leaves_no_timer(loop: ManualLoop, alarms: Alarms, rung: list[str]) -> None:
    alarm(alarms, rung).within(1)
    alarms.close()

    loop.run_until(200)

    assert rung == []
    assert all(timer.is_cancelled for timer in loop.timers)
