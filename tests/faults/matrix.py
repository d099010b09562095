"""The fault matrix: every row, in order, and how one is run."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from tests.faults import (
    again,
    bad_plugin,
    client_input,
    client_pace,
    client_size,
    feed,
    fuzz,
    key_timing,
    lifecycle,
    quota,
    security,
    soak,
    state_down,
    stepped_clock,
    under_load,
    upstream_breaks,
    upstream_content,
    upstream_silence,
    upstream_wire,
)
from tests.faults.ground import Ground
from tests.faults.row import Reached, Row

_GROUPS = (
    upstream_breaks,
    upstream_silence,
    upstream_content,
    upstream_wire,
    client_pace,
    client_size,
    client_input,
    quota,
    stepped_clock,
    security,
    key_timing,
    feed,
    lifecycle,
    bad_plugin,
    state_down,
    under_load,
    again,
    soak,
    fuzz,
)
ROWS: Mapping[str, Row] = {
    row.id: row
    for row in sorted((row for group in _GROUPS for row in group.ROWS), key=lambda r: r.id)
}

NOT_SHOWN: Mapping[str, str] = {}
"""Rows that nothing here makes red, and why: a row without a way to fail proves nothing."""


async def reached(row: Row, ground: Ground, most_s: float | None = None) -> Reached:
    """Check one row; what it raises is a miss that says so, and so is its time that is over."""
    try:
        async with asyncio.timeout(most_s or row.most_s):
            return await row.check(ground)
    except TimeoutError:
        return Reached("waited in vain", is_met=False)
    except Exception as error:  # noqa: BLE001 - whatever a check runs into, the other rows are run.
        said = " ".join(str(error).split())[:600]
        return Reached(f"{type(error).__name__}: {said}", is_met=False)


def folder_of(row: Row, parent: Path) -> Path:
    """Make a folder for what a row writes."""
    folder = parent / row.id
    folder.mkdir()
    return folder
