"""What tells a version of a file from the next one, without reading it."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

Stamp = tuple[int, int, int, int]
"""Device, inode, size in bytes and time of the last change in nanoseconds."""
Stamps = Mapping[Path, Stamp | None]
"""None is a file that is not there."""


def stamp_of(file: int) -> Stamp:
    """Return the stamp of an open file."""
    return _stamp(os.fstat(file))


def look_at(paths: Iterable[Path]) -> Stamps:
    """Return the stamps of files as they are now; blocks.

    Links are followed, so that one of them swapped for another is another version.
    """
    return {path: _looked(path) for path in paths}


def _looked(path: Path) -> Stamp | None:
    try:
        return _stamp(path.stat())
    except OSError:
        return None


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
