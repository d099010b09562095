"""The rows of the fault matrix that assert counts and order alone, and a gateway of this process.

`make faults` runs all of them against one of its own.
"""

import sys
from pathlib import Path
from typing import get_args

import pytest

from tests.faults.__main__ import main
from tests.faults.ground import Ground, within
from tests.faults.matrix import NOT_SHOWN, ROWS
from tests.faults.row import Row
from tests.faults.stand_in.defects import Defect

COUNTED = [row for row in ROWS.values() if row.is_counted]


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: row.id)
async def test_the_gateway_withstands(row: Row, tmp_path: Path) -> None:
    ground = Ground(within, tmp_path, scale=0.02, is_timed=False, owns_process=False)

    result = await row.check(ground)

    assert result.is_met, result.figure


def test_a_row_that_cannot_be_run_here_is_told_and_is_no_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")  # No compiler is found.
    monkeypatch.setattr(sys, "argv", ["faults", "--only", "Q05"])

    code = main()

    said = capsys.readouterr().out
    assert code == 1
    assert said.startswith("NOT RUN Q05")
    assert "not run: needs Linux and a C compiler" in said
    assert said.endswith("0 of 1 ok\nNOT RUN: Q05\n")


def test_every_row_has_a_shown_way_to_fail_or_says_why_it_has_none() -> None:
    unshown = {row.id for row in ROWS.values() if not row.defects and not row.weakness}

    assert unshown == NOT_SHOWN.keys()


def test_every_defect_is_one_of_the_stand_in_and_makes_some_row_miss() -> None:
    used = {defect for row in ROWS.values() for defect in row.defects}

    assert used == set(get_args(Defect))


def test_every_row_says_what_it_does_and_wants() -> None:
    for row in ROWS.values():
        assert row.fault, row.id
        assert row.target, row.id
