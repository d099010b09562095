"""Which file answers: the operator's own, the wanted weight, or a smaller one that is there."""

from dataclasses import dataclass
from pathlib import Path

from gateway_local.catalogue import Entry, catalogue
from gateway_local.settings import LocalSettings


@dataclass(frozen=True, slots=True)
class Chosen:
    """A file to load: `entry` is None for an operator's own.

    `is_substitute`: it stands in for the weight that the settings ask for.
    """

    path: Path
    name: str
    entry: Entry | None = None
    is_substitute: bool = False


class Shelf:
    """Looks for the weights that the settings ask for. Each look is one or a few `stat` calls."""

    def __init__(self, settings: LocalSettings, cache_dir: Path) -> None:
        self._catalogue = catalogue()
        self._wanted = self._catalogue.by_id()[settings.model]
        self._path = settings.path
        self._cache_dir = cache_dir

    def look(self) -> Chosen | None:
        """Return what can be loaded now."""
        if self._path is not None:
            return self.wanted() if self._path.is_file() else None
        entry = self._catalogue.best_here(self._wanted, self._cache_dir)
        if entry is None:
            return None
        return Chosen(entry.place(self._cache_dir), entry.id, entry, entry.id != self._wanted.id)

    def wanted(self) -> Chosen:
        """Return what the settings ask for, there or not."""
        if self._path is not None:
            return Chosen(self._path, self._path.stem)
        return Chosen(self._wanted.place(self._cache_dir), self._wanted.id, self._wanted)

    @property
    def absence(self) -> str:
        """What to tell the caller when `look` finds nothing."""
        if self._path is not None:
            return f"local: there is no file {self._path.name} where the configuration says"
        return (
            f"local: the weights of {self.wanted().name} are not on this machine: "
            "run `dynagate models pull`"
        )
