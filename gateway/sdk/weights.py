"""Weights that a provider kind can bring: what there is, and how it is pulled.

Used by the command line before a gateway starts; nothing here runs inside a request.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Weight:
    """One downloadable model. `path` is where it lies once pulled and checked, else None."""

    id: str
    description: str
    licence: str
    size_bytes: int
    ram_bytes: int
    sha256: str
    is_default: bool
    path: Path | None


class PullError(Exception):
    """Weights could not be brought; the message says from where, why, and what to do."""


Progress = Callable[[str, int, int], None]
"""Called with what is being brought and from where, bytes so far, and bytes in all."""


class Weights(Protocol):
    """The weights of one provider kind."""

    def listed(self, cache_dir: Path) -> Sequence[Weight]:
        """Return the catalogue; reads nothing but the cache."""

    def needed(self, settings: Any) -> Sequence[str]:  # Any: the kind's own settings.
        """Return the ids that `settings` cannot work without, none when the user gave a path."""

    def pull(
        self,
        id: str,  # noqa: A002 - the catalogue's word.
        cache_dir: Path,
        progress: Progress,
    ) -> tuple[Weight, tuple[str, ...]]:
        """Bring a model, resuming what is there; blocks. Return what is there now, and notices.

        The weight returned is another than asked for when only a smaller tier could be had. Raises
        `PullError`.
        """
