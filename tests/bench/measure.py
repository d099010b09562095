"""What a process tree has used so far, from Linux: CPU time and resident memory."""

import time
from collections.abc import Iterator
from pathlib import Path

_RESIDENT = "VmRSS:"


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of `pid` and all its descendants; nanoseconds are counted.

    The clock of a process (clock_getcpuclockid(3)) is the sum of its threads' `schedstat`, and
    counts those that have ended too.
    """
    return sum(time.clock_gettime_ns((~one << 3) | 2) for one in tree(pid)) / 1e9


def rss_bytes(pid: int) -> int:
    """Return the resident memory of `pid` and all its descendants; shared pages count in each."""
    return sum(_rss_bytes(one) for one in tree(pid))


def tree(pid: int) -> Iterator[int]:
    """Yield `pid` and its descendants that run."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in task.joinpath("children").read_text().split():
            yield from tree(int(child))


def _rss_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_RESIDENT))
