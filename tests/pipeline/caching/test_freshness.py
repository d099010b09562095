"""What a request says of caches, whatever it says."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pipeline.caching.freshness import ANY, Freshness, freshness_of


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("", ANY),
        ("no-store", Freshness(may_store=False)),
        ("No-Cache, foo=bar", Freshness(most_age_s=0)),
        ("max-age=60, max-age=30", Freshness(most_age_s=30)),
        ('max-age="60"', Freshness(most_age_s=60)),
        ("max-age", Freshness(most_age_s=0)),
        ("max-age=-1", Freshness(most_age_s=0)),
        ("max-age=99999999999999999999", Freshness(most_age_s=inf)),
        ("min-fresh=5", Freshness(least_left_s=5)),
        ("min-fresh=x", Freshness(least_left_s=inf)),
    ],
)
def test_each_directive_is_understood(said: str, wanted: Freshness) -> None:
    assert freshness_of({"Cache-Control": said}) == wanted


@given(st.text())
def test_no_header_is_too_odd(said: str) -> None:
    wanted = freshness_of({"Cache-Control": said, "Pragma": said})

    assert wanted.most_age_s >= 0
    assert wanted.least_left_s >= 0
