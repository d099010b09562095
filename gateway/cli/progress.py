"""How a long download is shown: a bar for people, a line now and then for logs."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from gateway.cli.report import human_size
from gateway.sdk.weights import Progress

LINE_EVERY_S = 5.0


@contextmanager
def progress_shown(stream: TextIO | None = None) -> Iterator[Progress]:
    """Show what the yielded function is told on `stream` (standard error) until left."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield Lines(lambda line: print(line, file=stream, flush=True))
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(file=stream)) as bars:
        # One bar: what is brought from a second source has left the first.
        shown: dict[str, TaskID] = {}

        def show(what: str, done_bytes: int, all_bytes: int) -> None:
            if what not in shown:
                for task in shown.values():
                    bars.remove_task(task)
                shown.clear()
                shown[what] = bars.add_task(what, total=all_bytes or None)
            bars.update(shown[what], completed=done_bytes, total=all_bytes or None)

        yield show


class Lines:
    """Writes at most a line each `LINE_EVERY_S`, and the last one."""

    def __init__(
        self, write: Callable[[str], object], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._monotonic = monotonic
        self._what = ""
        self._begun = (0.0, 0)
        self._due = 0.0
        self._is_done = False

    def __call__(self, what: str, done_bytes: int, all_bytes: int) -> None:
        """Take one report: what is being brought, bytes so far, and bytes in all (0: unknown)."""
        now = self._monotonic()
        if what != self._what:
            self._what, self._begun, self._due = what, (now, done_bytes), now
            self._is_done = False
        is_last = done_bytes == all_bytes and not self._is_done
        if now < self._due and not is_last:
            return
        self._due = now + LINE_EVERY_S
        self._is_done = done_bytes == all_bytes
        self._write(self._line(now, done_bytes, all_bytes))

    def _line(self, now: float, done_bytes: int, all_bytes: int) -> str:
        line = f"{self._what}: {human_size(done_bytes)}"
        if all_bytes:
            line += f" of {human_size(all_bytes)} ({100 * done_bytes // all_bytes} %)"
        seconds, fetched = now - self._begun[0], done_bytes - self._begun[1]
        if seconds <= 0 or fetched <= 0:
            return line
        speed = fetched / seconds
        line += f", {human_size(speed)}/s"
        left_s = (all_bytes - done_bytes) / speed
        return f"{line}, {left_s:.0f} s left" if left_s > 0 else line
