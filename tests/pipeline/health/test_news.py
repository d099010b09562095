"""What one process finds of a target, and what the others make of it."""

import orjson
import pytest

from gateway.config.routing import Health
from gateway.pipeline.health.book import HealthBook
from gateway.pipeline.health.breaker import Condition, TargetHealth
from gateway.pipeline.health.news import HealthNews
from gateway.schema.failure import Failure
from gateway.state.notices import Hear
from gateway.testing.clock import ManualClock

SETTINGS = Health(failures=3, cooldown_s=5, longest_cooldown_s=15, rest_s=100)


class Process:
    """A process that hears the others at once."""

    def __init__(self, clock: ManualClock, others: "list[Process]") -> None:
        self.book = HealthBook(SETTINGS, clock)
        self.health = self.book.of("up/m")
        self.news = HealthNews(self.book, self)
        self.sent: list[bytes] = []
        self._others = others
        others.append(self)

    def send(self, notice: bytes) -> None:
        self.sent.append(notice)
        for other in self._others:
            if other is not self:
                other.news.hear(notice, 0.0)

    async def keep(self, hear: Hear) -> None:
        """Nothing comes of itself."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def processes(clock: ManualClock) -> list[Process]:
    made: list[Process] = []
    for _ in range(3):
        Process(clock, made)
    return made


def fail(health: TargetHealth, times: int) -> None:
    for _ in range(times):
        assert health.enter()
        health.failed(health.epoch, Failure.TRANSIENT)
        health.leave(health.epoch)


def answer(health: TargetHealth) -> None:
    assert health.enter()
    health.began(health.epoch, 0.1, is_stream=False)
    health.answered(health.epoch)
    health.leave(health.epoch)


def test_what_one_opens_is_open_for_all_and_told_once(processes: list[Process]) -> None:
    first, *others = processes

    fail(first.health, 3)

    assert [one.health.condition for one in others] == [Condition.OPEN] * 2
    assert [one.health.why for one in others] == [Failure.TRANSIENT] * 2
    assert not any(one.health.admits() for one in others)
    assert [len(one.sent) for one in processes] == [1, 0, 0]


def test_who_was_answered_just_now_needs_one_failure_of_its_own(
    processes: list[Process], clock: ManualClock
) -> None:
    sick, idle, busy = processes
    answer(idle.health)
    clock.advance(5)
    answer(busy.health)

    fail(sick.health, 3)

    assert (idle.health.admits(), busy.health.admits()) == (False, True)
    fail(busy.health, 1)
    assert not busy.health.admits()


def test_one_broken_process_does_not_keep_a_busy_one_from_a_target(
    processes: list[Process],
) -> None:
    sick, _, busy = processes
    answer(busy.health)
    fail(sick.health, 3)

    answer(busy.health)
    fail(busy.health, 2)

    assert busy.health.condition is Condition.CLOSED


def test_who_opened_it_looks_first(processes: list[Process], clock: ManualClock) -> None:
    first, other, _ = processes
    fail(first.health, 3)

    clock.advance(5)

    assert first.health.admits()
    assert not other.health.admits()
    clock.advance(1)
    assert other.health.admits()


def test_what_answers_one_is_closed_for_all(processes: list[Process], clock: ManualClock) -> None:
    first, *others = processes
    fail(first.health, 3)
    clock.advance(5)

    assert first.health.enter()
    first.health.began(first.health.epoch, 1.0, is_stream=True)

    assert [one.health.condition for one in processes] == [Condition.CLOSED] * 3
    assert [one.health.failures for one in others] == [0, 0]


def test_a_look_that_fails_makes_the_rest_longer_for_all(
    processes: list[Process], clock: ManualClock
) -> None:
    first, other, _ = processes
    fail(first.health, 3)
    clock.advance(5)
    fail(first.health, 1)
    assert other.health.rest_s == 11

    clock.advance(11)
    fail(other.health, 1)

    assert other.health.rest_s == 15
    assert first.health.rest_s == 16


def test_a_look_of_its_own_is_not_disturbed(processes: list[Process], clock: ManualClock) -> None:
    first, other, _ = processes
    fail(first.health, 3)
    clock.advance(6)
    assert other.health.enter()

    fail(first.health, 1)

    assert other.health.condition is Condition.HALF_OPEN


def test_old_news_is_as_old_as_it_is(processes: list[Process]) -> None:
    _, other, third = processes
    notice = {"target": "up/m", "state": "open", "why": "timeout", "rest_s": 5.0, "rests": 1}

    other.news.hear(orjson.dumps(notice), 4.0)
    third.news.hear(orjson.dumps(notice), 5.0)

    assert other.health.rest_s == 2
    assert third.health.condition is Condition.CLOSED


@pytest.mark.parametrize(
    "notice",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"target": "up/m"}',
        b'{"target": "up/m", "state": "open"}',
        b'{"target": "up/m", "state": "open", "why": "new", "rest_s": 5, "rests": 1}',
        b'{"target": "up/m", "state": "open", "why": "timeout", "rest_s": "5", "rests": 1}',
        b'{"target": ["up/m"], "state": "closed"}',
        b'{"target": "other/m", "state": "open", "why": "timeout", "rest_s": 5, "rests": 1}',
    ],
)
def test_what_means_nothing_here_is_passed_over(processes: list[Process], notice: bytes) -> None:
    one = processes[0]

    one.news.hear(notice, 0.0)

    assert one.health.condition is Condition.CLOSED
    assert [known.name for known in one.book] == ["up/m"]


def test_no_rest_is_longer_than_a_day(processes: list[Process]) -> None:
    one = processes[0]
    notice = {"target": "up/m", "state": "open", "why": "quota", "rest_s": 1e300, "rests": 1}

    one.news.hear(orjson.dumps(notice), 0.0)

    assert one.health.rest_s <= 86_401
