"""The rows of the fault matrix that assert counts and order alone, and a gateway of this process.

`make faults` runs all of them against one of its own.
"""

from pathlib import Path

import pytest

from tests.faults.ground import Ground, within
from tests.faults.matrix import ROWS
from tests.faults.row import Row

COUNTED = [row for row in ROWS.values() if row.is_counted]


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: row.id)
async def test_the_gateway_withstands(row: Row, tmp_path: Path) -> None:
    ground = Ground(within, tmp_path, scale=0.02, is_timed=False, owns_process=False)

    result = await row.check(ground)

    assert result.is_met, result.figure


def test_every_row_can_fail_and_says_what_it_wants() -> None:
    for row in ROWS.values():
        assert row.fault, row.id
        assert row.target, row.id
