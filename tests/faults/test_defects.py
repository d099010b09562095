"""Rows of the fault matrix can fail: a stand-in with a defect misses them, one without does not.

Rows of counts and order face a stand-in of this process; the others one of its own, slowly.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.faults.ground import Ground, as_process, stand_in_words, stood_in
from tests.faults.matrix import ROWS, reached
from tests.faults.row import CannotRunError, Row

HANGING = {"no_idle", "stock_server", "leaks_slot", "no_body_timeout", "waits_for_readers"}
"""With these a check waits for what never comes: only its deadline ends it."""
_PATIENCE_S = 10.0
_SLOWLY = (pytest.mark.slow, pytest.mark.timeout(200))


def cases() -> list[object]:
    """Return each row without a defect, and with each of its own."""
    rows = [row for row in ROWS.values() if row.defects]
    return [
        pytest.param(
            row,
            defect,
            id=f"{row.id}-{defect or 'sound'}",
            marks=() if row.is_counted and defect not in HANGING else _SLOWLY,
        )
        for row in rows
        for defect in ("", *row.defects)
    ]


@pytest.mark.parametrize(("row", "defect"), cases())
async def test_a_defect_of_the_stand_in_makes_the_row_miss(
    row: Row, defect: str, tmp_path: Path
) -> None:
    defects = (defect,) if defect else ()
    serve = stood_in(
        *defects,
        is_process=not row.is_counted,
        environment=_environment(row, tmp_path),
        descriptors=row.descriptors,
    )
    ground = Ground(
        serve,
        tmp_path,
        scale=0.02 if row.is_counted else 0.2,
        is_timed=not row.is_counted,
        dialects=("openai",),
        owns_process=not row.is_counted,
        requests=300,
        minutes=0.2,
        words=stand_in_words,
        defects=defects,
    )

    result = await reached(row, ground, most_s=_PATIENCE_S if defect in HANGING else None)

    assert result.is_met is (not defect), result.figure


def _environment(row: Row, folder: Path) -> Mapping[str, str]:
    """Return what the row needs here; the test is skipped, and says why, where that is missing."""
    try:
        return row.environment(folder) if row.environment else {}
    except CannotRunError as error:
        pytest.skip(str(error))


WEAK = [row for row in ROWS.values() if row.weakness]


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("row", WEAK, ids=lambda row: row.id)
async def test_a_weak_configuration_makes_the_row_miss(row: Row, tmp_path: Path) -> None:
    serve = partial(as_process, environment=_environment(row, tmp_path))
    ground = Ground(serve, tmp_path, scale=0.2, weakness=row.weakness)

    result = await reached(row, ground, most_s=45)

    assert not result.is_met, result.figure
