"""When a figure misses its ceiling, and what the table says."""

import pytest

from tests.bench.figures import Ceiling, Figure, table


@pytest.mark.parametrize(
    ("gateway", "ceiling", "is_missed"),
    [
        ([13.0, 14.0, 15.0, 16.0, 17.0], ("x", 1.4), False),
        ([15.0, 16.0, 17.0, 18.0, 19.0], ("x", 1.4), True),
        ([30.0, 34.0, 36.0, 40.0, 50.0], ("at most", 35.0), False),
        ([35.5, 36.0, 36.0, 40.0, 50.0], ("at most", 35.0), True),
        ([8.0, 9.0, 9.0, 10.0, 12.0], ("at least", 10.0), False),
        ([8.0, 9.0, 9.0, 9.5, 12.0], ("at least", 10.0), True),
    ],
)
def test_a_figure_is_missed_when_its_quartiles_lie_wholly_beyond_the_ceiling(
    gateway: list[float], ceiling: Ceiling, *, is_missed: bool
) -> None:
    figure = Figure("a figure", {"bare": [10.0] * 5, "gateway": gateway}, ceiling)

    assert figure.is_missed is is_missed
    assert ("MISS" in table([figure])) is is_missed


def test_a_ratio_is_taken_within_each_round_since_the_machine_changes_between_them() -> None:
    figure = Figure("a figure", {"bare": [10.0, 20.0, 40.0], "gateway": [15.0, 30.0, 60.0]})

    text = table([figure])

    assert "1.50x [1.50-1.50]" in text
    assert "20 [15-30]" in text


def test_a_single_round_is_its_own_range() -> None:
    figure = Figure("a figure", {"bare": [100.0], "gateway": [150.0]}, ("x", 1.4))

    assert figure.is_missed
    assert "150 [150-150]" in table([figure])


def test_what_a_bare_proxy_cannot_do_has_no_ratio() -> None:
    figure = Figure("speech", {"gateway": [20.0]}, ("at least", 10.0))

    text = table([figure])

    assert ">= 10" in text
    assert "ok" in text
    assert figure.document()["ratios"] == []
