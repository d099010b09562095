"""The shares that weights give, and who moves when targets come and go."""

from collections import Counter
from random import Random

import pytest

from gateway.pipeline.routing.order import _drawn


def test_each_is_drawn_first_as_often_as_its_weight_says() -> None:
    chance = Random(7)  # noqa: S311 - a test's.
    weights = {"stable": 95.0, "canary": 5.0, "spare": 0.0}

    first = Counter(
        min(weights, key=lambda name: _drawn(chance.random(), weights[name])) for _ in range(10_000)
    )

    assert first["canary"] / 10_000 == pytest.approx(0.05, abs=0.01)
    assert first["spare"] == 0
