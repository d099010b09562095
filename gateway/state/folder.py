"""Objects as files of one folder, which several processes may share."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Final

from gateway.sdk.providers import Clock
from gateway.state.objects import Stored

_SUFFIXES: Final = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/gif": ".gif",
}
_TYPES: Final = {suffix: media_type for media_type, suffix in _SUFFIXES.items()}
_KEPT_AFTER_PRUNING = 0.9
_UNFINISHED = ".part"


class FolderObjects:
    """A file an object; its modification time is when it was put there.

    Files older than `keep_s` seconds are gone for readers, and deleted when room is made: once what
    this process has put there exceeds `most_bytes`, and when it begins. The oldest go first.
    """

    def __init__(self, folder: Path, clock: Clock, *, keep_s: float, most_bytes: int) -> None:
        self._folder = folder
        self._clock = clock
        self._keep_s = keep_s
        self._most_bytes = most_bytes
        self._writing = asyncio.Lock()
        self._size: int | None = None
        """What the folder holds, as far as this process knows; None before it has looked."""

    async def put(self, key: str, data: bytes, media_type: str) -> float:
        """See `Objects.put`."""
        now = self._clock.now().timestamp()
        async with self._writing:
            if self._size is None:
                self._size = await asyncio.to_thread(self._prune, now)
            await asyncio.to_thread(self._write, key, data, media_type, now)
            self._size += len(data)
            if self._size > self._most_bytes:
                self._size = await asyncio.to_thread(self._prune, now)
        return now + self._keep_s

    async def get(self, key: str) -> Stored | None:
        """See `Objects.get`."""
        stored = await asyncio.to_thread(self._read, key)
        if stored is None or stored.expires_at <= self._clock.now().timestamp():
            return None
        return stored

    def _write(self, key: str, data: bytes, media_type: str, now: float) -> None:
        # Nobody but this user reads what callers had drawn.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = NamedTemporaryFile(dir=self._folder, suffix=_UNFINISHED, delete=False)  # noqa: SIM115 - it is renamed.
        try:
            with part:
                part.write(data)
            os.utime(part.name, (now, now))
            Path(part.name).replace(self._folder / f"{key}{_SUFFIXES[media_type]}")
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise

    def _read(self, key: str) -> Stored | None:
        for suffix, media_type in _TYPES.items():
            with suppress(FileNotFoundError), (self._folder / f"{key}{suffix}").open("rb") as file:
                expires_at = os.fstat(file.fileno()).st_mtime + self._keep_s
                return Stored(file.read(), media_type, expires_at)
        return None

    def _prune(self, now: float) -> int:
        """Delete what is old, and the oldest where there is too much; return what is left."""
        files = []
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    about = entry.stat()
                    files.append((about.st_mtime, about.st_size, entry.path))
        files.sort(reverse=True)
        room = int(self._most_bytes * _KEPT_AFTER_PRUNING)
        size = 0
        for made_at, length, path in files:
            size += length
            if made_at + self._keep_s <= now or size > room:
                size -= length
                Path(path).unlink(missing_ok=True)
        return size
