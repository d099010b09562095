"""A database has one gateway at a time, since each counts in memory."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gateway.config.database import Place, PostgresPlace
from gateway.state.errors import StateError
from gateway.state.memory import MemoryCounters
from gateway.state.sql.database import transact
from gateway.state.sql.keeper import KeptState, open_kept
from gateway.state.sql.keys import read_keys
from gateway.testing.clock import ManualClock
from tests.cli.command_line import ROOT
from tests.state.contract.databases import made

PROGRAM = """
import asyncio, pathlib, sys
from gateway.config.database import PostgresPlace
from gateway.state.memory import MemoryCounters
from gateway.state.sql.keeper import open_kept
from gateway.testing.clock import ManualClock

async def main():
    place = PostgresPlace(sys.argv[2]) if sys.argv[1] == "postgresql" else pathlib.Path(sys.argv[2])
    state = await open_kept(place, MemoryCounters(ManualClock()), ManualClock())
    print("holds", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def gateway(place: Place) -> KeptState:
    """Open the state as a gateway does."""
    return await open_kept(place, MemoryCounters(ManualClock()), ManualClock())


async def test_a_second_gateway_is_refused_until_the_first_has_ended(place: Place) -> None:
    await made(place)
    first = await gateway(place)

    with pytest.raises(StateError) as refused:
        await gateway(place)
    await first.aclose()
    second = await gateway(place)
    await second.aclose()

    assert str(refused.value).startswith(f"{place} is in use by another gateway")
    assert "in state.url" in str(refused.value)


async def test_the_command_line_works_beside_a_gateway(place: Place) -> None:
    await made(place)
    running = await gateway(place)

    assert await transact(place, read_keys) == []
    assert await made(place) is None

    await running.aclose()


async def test_a_gateway_that_was_refused_has_changed_nothing(tmp_path: Path) -> None:
    file = tmp_path / "state.sqlite"
    first = await gateway(file)
    link = tmp_path / "other.sqlite"
    link.symlink_to(file)
    before = file.read_bytes()

    with pytest.raises(StateError, match="in use by another gateway"):
        await gateway(link)

    assert file.read_bytes() == before
    await first.aclose()


async def test_a_gateway_that_is_killed_lets_go(place: Place) -> None:
    await made(place)
    kind = "postgresql" if isinstance(place, PostgresPlace) else "sqlite"
    where = place.url if isinstance(place, PostgresPlace) else str(place)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, kind, where),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"holds\n"
    with pytest.raises(StateError, match="in use by another gateway"):
        await gateway(place)

    process.send_signal(signal.SIGKILL)
    await process.wait()

    after = await gateway(place)
    await after.aclose()
