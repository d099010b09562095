"""When a target is left alone, for how long, and who may look whether it is back."""

import pytest

from gateway.config.routing import Health
from gateway.pipeline.health.book import HealthBook
from gateway.pipeline.health.breaker import Condition, TargetHealth
from gateway.schema.failure import Failure
from gateway.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def health(clock: ManualClock) -> TargetHealth:
    settings = Health(failures=3, cooldown_s=5, longest_cooldown_s=15, rest_s=100)
    return HealthBook(settings, clock).of("up/m")


def fail(
    health: TargetHealth, failure: Failure, times: int = 1, told_s: float | None = None
) -> None:
    for _ in range(times):
        assert health.enter()
        health.failed(health.epoch, failure, told_s)
        health.leave(health.epoch)


def answer(health: TargetHealth) -> None:
    assert health.enter()
    epoch = health.epoch
    health.began(epoch, 1.0, is_stream=False)
    health.answered(health.epoch)
    health.leave(epoch)


def test_failures_in_a_row_open_it(health: TargetHealth) -> None:
    fail(health, Failure.TRANSIENT, 2)
    answer(health)
    fail(health, Failure.TRANSIENT, 2)
    assert health.admits()

    fail(health, Failure.TIMEOUT)

    assert (health.condition, health.why, health.rest_s) == (Condition.OPEN, Failure.TIMEOUT, 5)
    assert not health.admits()
    assert not health.enter()
    assert health.in_flight == 0


@pytest.mark.parametrize(
    "failure",
    [Failure.CALLER_FAULT, Failure.CONTEXT_LENGTH, Failure.UNSUPPORTED, Failure.NOT_READY],
)
def test_what_the_caller_is_at_fault_for_never_counts(
    health: TargetHealth, failure: Failure
) -> None:
    fail(health, failure, 50)

    assert (health.condition, health.failures) == (Condition.CLOSED, 0)


@pytest.mark.parametrize(
    ("failure", "told_s", "rest_s"),
    [
        (Failure.TRANSIENT, None, 5),
        (Failure.UNKNOWN, None, 5),
        (Failure.RATE_LIMIT, None, 5),
        (Failure.CREDENTIAL, None, 100),
        (Failure.MODEL_GONE, None, 100),
        (Failure.QUOTA, None, 100),
        (Failure.QUOTA, 30, 30),
        (Failure.TRANSIENT, 30, 5),
    ],
)
def test_how_long_it_rests_depends_on_what_failed(
    health: TargetHealth, failure: Failure, told_s: float | None, rest_s: float
) -> None:
    fail(health, failure, 1 if failure is Failure.QUOTA and told_s else 3, told_s)

    assert health.rest_s == rest_s


@pytest.mark.parametrize(("told_s", "rest_s"), [(9.0, 9), (86400.0, 100), (0.0, 0), (-3.0, 0)])
def test_who_says_how_long_it_takes_no_calls_is_believed_at_once(
    health: TargetHealth, told_s: float, rest_s: float
) -> None:
    fail(health, Failure.RATE_LIMIT, told_s=told_s)

    assert (health.condition, health.rest_s) == (Condition.OPEN, rest_s)


def test_one_probe_at_a_time_looks_whether_it_is_back(
    health: TargetHealth, clock: ManualClock
) -> None:
    fail(health, Failure.TRANSIENT, 3)
    clock.advance(4.9)
    assert not health.enter()
    clock.advance(0.1)

    assert [health.enter() for _ in range(5)] == [True, False, False, False, False]

    assert health.condition is Condition.HALF_OPEN


def test_each_probe_that_fails_doubles_the_wait_up_to_a_bound(
    health: TargetHealth, clock: ManualClock
) -> None:
    fail(health, Failure.TRANSIENT, 3)
    rests = [health.rest_s]
    for _ in range(3):
        clock.advance(health.rest_s)
        fail(health, Failure.TRANSIENT)
        rests.append(health.rest_s)

    assert rests == [5, 10, 15, 15]


def test_an_answer_to_the_probe_closes_it_and_the_next_rest_is_short_again(
    health: TargetHealth, clock: ManualClock
) -> None:
    fail(health, Failure.TRANSIENT, 3)
    clock.advance(5)
    fail(health, Failure.TRANSIENT)
    clock.advance(10)

    answer(health)
    answer(health)

    assert (health.condition, health.failures) == (Condition.CLOSED, 0)
    fail(health, Failure.TRANSIENT, 3)
    assert health.rest_s == 5


def test_a_probe_that_tells_nothing_makes_room_for_the_next(
    health: TargetHealth, clock: ManualClock
) -> None:
    fail(health, Failure.TRANSIENT, 3)
    clock.advance(5)
    assert health.enter()

    health.leave(health.epoch)

    assert health.enter()


def test_a_call_that_began_before_it_was_opened_says_nothing_of_the_probe(
    health: TargetHealth, clock: ManualClock
) -> None:
    assert health.enter()
    early = health.epoch
    fail(health, Failure.TRANSIENT, 3)
    clock.advance(5)
    assert health.enter()

    health.began(early, 1.0, is_stream=False)
    health.failed(early, Failure.TRANSIENT)
    health.leave(early)

    assert (health.condition, health.in_flight) == (Condition.HALF_OPEN, 1)


def test_times_are_averages_in_which_the_newest_counts_most(health: TargetHealth) -> None:
    for seconds in (1.0, 2.0):
        health.enter()
        health.began(health.epoch, seconds, is_stream=True)

    assert health.first_token_s == pytest.approx(1.2)
    assert health.whole_s is None


def test_names_that_callers_choose_are_bounded_and_the_configured_ones_stay() -> None:
    book = HealthBook()
    fixed = book.of("up/*")
    fail(fixed.sibling("up/broken"), Failure.TRANSIENT, 5)
    assert book.open_targets() == {"up/*": 1}

    for number in range(5000):
        fixed.sibling(f"up/{number}")

    assert sum(1 for _ in book) == 2049
    assert book.of("up/*") is fixed


async def look() -> None:
    """Cost nothing."""


def test_a_free_look_comes_a_second_before_a_call_would(
    health: TargetHealth, clock: ManualClock
) -> None:
    health.probe = look
    fail(health, Failure.TRANSIENT, 3)
    clock.advance(3.9)
    assert not health.wants_look

    clock.advance(0.1)
    assert health.wants_look
    epoch = health.look()
    clock.advance(1)

    assert not health.wants_look
    assert not health.admits()
    health.looked(epoch, None)
    assert health.admits()


def test_a_look_that_fails_doubles_the_rest(health: TargetHealth, clock: ManualClock) -> None:
    health.probe = look
    fail(health, Failure.TRANSIENT, 3)
    clock.advance(4)

    health.looked(health.look(), Failure.CREDENTIAL)

    assert (health.condition, health.why, health.rest_s) == (
        Condition.OPEN,
        Failure.CREDENTIAL,
        100,
    )


def test_every_fourth_rest_ends_with_a_call(health: TargetHealth, clock: ManualClock) -> None:
    health.probe = look
    fail(health, Failure.TRANSIENT, 3)
    looks = 0
    while health.wants_look or not health.admits():
        clock.advance(1)
        if health.wants_look:
            looks += 1
            health.looked(health.look(), Failure.TRANSIENT)

    assert looks == 3


def test_what_was_looked_at_before_a_change_says_nothing_of_now(
    health: TargetHealth, clock: ManualClock
) -> None:
    health.probe = look
    fail(health, Failure.TRANSIENT, 3)
    clock.advance(4)
    epoch = health.look()
    health.looked(epoch, Failure.TRANSIENT)
    rest_s = health.rest_s

    health.looked(epoch, Failure.TRANSIENT)

    assert health.rest_s == rest_s


def test_looks_at_a_closed_target_open_it_when_they_fail_in_a_row(health: TargetHealth) -> None:
    health.looked(health.look(), Failure.TRANSIENT)
    health.looked(health.look(), Failure.TRANSIENT)
    health.looked(health.look(), None)
    for _ in range(3):
        assert health.condition is Condition.CLOSED
        health.looked(health.look(), Failure.TRANSIENT)

    assert (health.condition, health.failures) == (Condition.OPEN, 3)
    assert not health.admits()
