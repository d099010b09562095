"""A gateway that is killed: the program of this folder, a few times."""

from pathlib import Path

import pytest

from tests.faults.kill import kill


@pytest.mark.slow
async def test_killed_under_load_it_loses_doubles_and_invents_no_call(tmp_path: Path) -> None:
    outcome = await kill(tmp_path, times=3, seed=7)

    assert (outcome.lost, outcome.doubled, outcome.phantom) == (0, 0, 0)
    assert outcome.acknowledged
