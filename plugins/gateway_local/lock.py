"""One pull at a time for one cache, across processes; a holder that dies lets go."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

_POLL_S = 0.2

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def locked(path: Path, *, on_wait: Callable[[], None]) -> Generator[None]:
    """Hold the lock file `path`; while another process does, call `on_wait` a few times a second.

    Blocks as long as the other pull goes on: it is alive, since the lock goes with its process.
    """
    with path.open("a") as file:
        while True:
            try:
                _take(file.fileno())
            except OSError:
                on_wait()
                time.sleep(_POLL_S)
            else:
                break
        yield
