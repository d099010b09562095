"""`python -m tests.faults`: the fault matrix against a gateway of a process of its own.

Prints a line for each row: what was done, what was reached, what is asked for, and `ok` or `MISS`.
Latencies may be five times their target, since the machine does other things, too. The exit code
is 1 when a row is missed, or cannot be run here.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.bench.loops import loop_factory
from tests.bench.processes import raise_descriptor_limit
from tests.faults import readme
from tests.faults.ground import Ground, as_process
from tests.faults.matrix import ROWS, folder_of, reached
from tests.faults.row import CannotRunError, Reached, Row

_INTERRUPTED = 130


def main() -> int:
    """Run the rows; return the exit code."""
    parser = argparse.ArgumentParser("python -m tests.faults", description=__doc__)
    parser.add_argument("--only", action="append", metavar="ROW", help="may be repeated: U02, or U")
    parser.add_argument("--requests", type=int, default=3000, help="of the fuzz (3000)")
    parser.add_argument("--minutes", type=float, default=1.0, help="of the soak (1)")
    parser.add_argument("--write", action="store_true", help="put what came of it into README.md")
    options = parser.parse_args()
    rows = _wanted(options.only)
    if not rows:
        parser.error(f"there is no such row; there are {', '.join(ROWS)}")
    raise_descriptor_limit()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            results = runner.run(_run(rows, options))
    except KeyboardInterrupt:
        return _INTERRUPTED
    if options.write:
        readme.write(results)
    missed = [row.id for row, result in results if result.is_run and not result.is_met]
    not_run = [row.id for row, result in results if not result.is_run]
    _say(f"{sum(result.is_met for _, result in results)} of {len(results)} ok")
    if missed:
        _say(f"missed: {', '.join(missed)}")
    if not_run:
        _say(f"NOT RUN: {', '.join(not_run)}")
    return 1 if missed or not_run else 0


async def _run(rows: Sequence[Row], options: argparse.Namespace) -> list[tuple[Row, Reached]]:
    results = []
    with tempfile.TemporaryDirectory(prefix="dynagate-faults-") as folder:
        for row in rows:
            begun = time.monotonic()
            own = folder_of(row, Path(folder))
            result = await _reached(row, own, options)
            results.append((row, result))
            mark = "ok  " if result.is_met else "MISS" if result.is_run else "NOT RUN"
            took_s = time.monotonic() - begun
            _say(f"{mark} {row.id}  {row.fault}: {result.figure} ({row.target})  {took_s:.0f} s")
    return results


async def _reached(row: Row, folder: Path, options: argparse.Namespace) -> Reached:
    """Check a row before a gateway with what it needs; without that it is not run."""
    try:
        environment = row.environment(folder) if row.environment else {}
    except CannotRunError as error:
        return Reached(f"not run: {error}", is_met=False, is_run=False)
    ground = Ground(
        partial(as_process, descriptors=row.descriptors, environment=environment),
        folder,
        requests=options.requests,
        minutes=options.minutes,
    )
    return await reached(row, ground)


def _wanted(names: Sequence[str] | None) -> list[Row]:
    if names is None:
        return list(ROWS.values())
    return [row for row in ROWS.values() if row.id.startswith(tuple(names))]


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
