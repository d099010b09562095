"""A local file for rows that the database did not take, until it takes them.

One JSON object a line. A file is one process's at a time; what others left behind is taken over.
"""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from gateway.schema.json import JsonObject, read_object

if sys.platform != "win32":
    import fcntl

_log = logging.getLogger("dynagate.state")
_FILES = 64
_OPEN_SHARE = 0.9
_READ_BYTES = 256 * 1024


class SpoolFullError(OSError):
    """There is no room within the bytes allowed; nothing was written."""


class Spool:
    """`folder`/`name`-N.jsonl, for this user alone, of at most `most_bytes`.

    Every method but the properties blocks, and may raise OSError; one thread calls at a time. With
    `is_synced` what is appended is on the disk, not only in the kernel, when `append` returns.
    """

    def __init__(self, folder: Path, name: str, most_bytes: int, *, is_synced: bool) -> None:
        self._folder = folder
        self._name = name
        self._most_bytes = most_bytes
        self._is_synced = is_synced
        self._file = -1
        self._size = 0
        self._replayed = 0
        self._read = b""
        self.rows = 0
        """Rows that wait to be replayed."""

    @property
    def has_room(self) -> bool:
        """Whether new calls may count on it: the last tenth is for those under way."""
        return self._size <= self._most_bytes * _OPEN_SHARE

    def append(self, rows: Sequence[JsonObject]) -> None:
        """Add `rows`, all or none. Raises OSError, `SpoolFullError` among them."""
        self.open()
        data = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
        if self._size + len(data) > self._most_bytes:
            raise SpoolFullError(f"the spool has its {self._most_bytes} bytes")
        try:
            _write(self._file, data)
            if self._is_synced:
                os.fsync(self._file)
        except OSError:
            self._take_back()
            raise
        self._size += len(data)
        self.rows += len(rows)

    def oldest(self) -> list[JsonObject]:
        """Return rows that wait, the oldest first, until `forget` the same ones.

        Not all of them. A line that cannot be read, as a crash leaves the last one, is left out.
        """
        self.open()
        data = _read(self._file, self._replayed)
        whole = data[: data.rfind(b"\n") + 1]
        if not whole and data:
            whole = data  # Longer than any row of ours.
        self._read = whole
        return list(_rows(whole))

    def forget(self) -> None:
        """Leave out what `oldest` returned: it is in the database. All gone, the file is empty."""
        self._replayed += len(self._read)
        self.rows -= self._read.count(b"\n")
        self._read = b""
        if self._replayed >= self._size:
            os.ftruncate(self._file, 0)
            self._size = self._replayed = self.rows = 0

    def open(self) -> None:
        """Take the first free file, and what is in those that no process has any more."""
        if self._file >= 0 and os.fstat(self._file).st_nlink:
            return
        self.close()  # A file that somebody deleted would be gone with this process.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(_FILES):
            path = self._folder / f"{self._name}-{number}.jsonl"
            if self._file >= 0 and not path.exists():
                continue
            file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            if not _is_ours(file):
                os.close(file)
            elif self._file < 0:
                self._file = file
                self._size = _end_line(file)
                self.rows = _count(file)
            else:
                self._take_over(file, path)
        if self._file < 0:
            msg = f"all {_FILES} spools in {self._folder} are taken"
            raise OSError(msg)

    def close(self) -> None:
        """Let go of the file; what is in it waits for the next start."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
            self._size = self._replayed = self.rows = 0
            self._read = b""

    def _take_back(self) -> None:
        """Cut off what was half written, which would spoil the next row."""
        try:
            os.ftruncate(self._file, self._size)
        except OSError:
            self.close()  # Opened again, it is read anew, and the half line ended.

    def _take_over(self, file: int, path: Path) -> None:
        try:
            _end_line(file)
            at = 0
            while data := _read(file, at):
                _write(self._file, data)
                at += len(data)
                self._size += len(data)
                self.rows += data.count(b"\n")
            if self._is_synced:
                os.fsync(self._file)
            path.unlink()
        finally:
            os.close(file)


def _is_ours(file: int) -> bool:
    """Say whether this process has the file now, until it closes it or ends."""
    if sys.platform != "win32":  # There one gateway has a state folder at a time.
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _end_line(file: int) -> int:
    """End a line that a crash left unfinished, so that it spoils no other; return the size."""
    size = os.fstat(file).st_size
    if size and _read(file, size - 1) != b"\n":
        _write(file, b"\n")
        size += 1
    return size


def _count(file: int) -> int:
    rows = at = 0
    while data := _read(file, at):
        rows += data.count(b"\n")
        at += len(data)
    return rows


def _read(file: int, at: int) -> bytes:
    os.lseek(file, at, os.SEEK_SET)
    return os.read(file, _READ_BYTES)


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _rows(lines: bytes) -> Iterator[JsonObject]:
    for line in lines.splitlines():
        row = read_object(line)
        if row is not None:
            yield row
        elif line:
            _log.warning("a line of the ledger's spool cannot be read, and is left out")
