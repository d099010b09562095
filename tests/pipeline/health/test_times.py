"""The percentile of the last times."""

from gateway.pipeline.health.times import Times


def test_a_few_times_say_nothing_of_the_slowest() -> None:
    times = Times()
    for _ in range(19):
        times.add(1.0)

    assert times.p95_s is None


def test_ninety_five_of_a_hundred_are_within_it() -> None:
    times = Times()
    for number in range(100, 0, -1):
        times.add(float(number))

    assert times.p95_s == 95.0


def test_only_the_last_hundred_count() -> None:
    times = Times()
    for _ in range(250):
        times.add(9.0)
    for _ in range(100):
        times.add(1.0)

    assert times.p95_s == 1.0
