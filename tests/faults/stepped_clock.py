"""Row Q05: the wall clock is stepped while callers are counted, as operators and NTP do.

A library that is loaded before libc's (`stepped_clock.c`) steps it for one process. It is compiled
when the row is run: without a C compiler, or Linux, the row says so, and is not run.
"""

import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path

from gateway.testing.script import reply
from tests.faults.asking import upstreams
from tests.faults.figures import ms
from tests.faults.ground import Ground
from tests.faults.row import CannotRunError, Reached, Row
from tests.faults.served import Served

_STEP_S = 2 * 3600
_ALLOWED = 12
_FILE = "clock"
_PATIENCE_S = 6.0


def stepped_clock(folder: Path) -> Mapping[str, str]:
    """Compile the library into a folder; return how a process is told of it, and of its file."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        raise CannotRunError("needs Linux and a C compiler, gcc or cc")
    library = folder / "stepped_clock.so"
    source = Path(__file__).with_suffix(".c")
    words = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source)]
    made = subprocess.run(words, capture_output=True, text=True, check=False)
    if made.returncode:
        raise CannotRunError(f"needs a C compiler that works: {made.stderr.strip()[-300:]}")
    _step(folder, 0)
    return {"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(folder / _FILE)}


def _step(folder: Path, seconds: int) -> None:
    """Set the wall clock so far from the right time, at once."""
    file = os.open(folder / _FILE, os.O_WRONLY | os.O_CREAT)
    try:
        os.write(file, struct.pack("=q", seconds))
    finally:
        os.close(file)


async def _q05(ground: Ground) -> Reached:
    """Step the clock forward and back within a window of an hour, and one of a second."""
    extra, is_stepped, slowest_s = 0, True, 0.0
    async with upstreams() as (upstream,):
        upstream.default = reply("hello")
        for state in ("memory://", f"sqlite:///{ground.folder / 'state.sqlite'}"):
            _step(ground.folder, 0)
            sections = {"limits": _limits(f"{_ALLOWED}/hour"), "state": {"url": state}}
            async with ground.facing(upstream.url, **sections) as served:
                taken = 0
                for step_s in (0, _STEP_S, 0, -_STEP_S, 0):
                    _step(ground.folder, step_s)
                    answers = [await served.chat() for _ in range(4)]
                    taken += sum(one.status == 200 for one in answers)
                    told = parsedate_to_datetime(answers[-1].headers["Date"]).timestamp()
                    is_stepped &= abs(told - time.time() - step_s) < _STEP_S / 2
                extra = max(extra, abs(taken - _ALLOWED))
        async with ground.facing(upstream.url, limits=_limits("3/second")) as served:
            for step_s in (-_STEP_S, 0, _STEP_S, 0):
                while (await served.chat()).status == 200:
                    pass
                _step(ground.folder, step_s)
                slowest_s = max(slowest_s, await _let_in(served))
                if slowest_s >= _PATIENCE_S:
                    break
    said = "" if is_stepped else ", THE CLOCK DID NOT STEP"
    return Reached(
        f"{extra} more or fewer than allowed; let in again {ms(slowest_s)} after a step{said}",
        not extra and is_stepped and ground.is_in_time(slowest_s, 1.0),
    )


def _limits(requests: str) -> dict[str, object]:
    return {"anonymous": {"requests": requests, "concurrent": 10}}


async def _let_in(served: Served) -> float:
    """Ask until there is room; return the seconds, `_PATIENCE_S` if there is none for so long."""
    begun = time.monotonic()
    while (await served.chat()).status != 200:
        if time.monotonic() - begun > _PATIENCE_S:
            return _PATIENCE_S
    return time.monotonic() - begun


ROWS = (
    Row(
        "Q05",
        "the wall clock is set two hours forward and back",
        "0 calls more or fewer; a window of 1 s ends in 1 s",
        _q05,
        environment=stepped_clock,
        defects=("counts_by_wall",),
        most_s=120,
    ),
)
