"""Which of several processes this is, and where the others are."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Post:
    """One process of `workers` + 1: 0 is the host of what is run once, the others answer callers.

    `folder` is theirs alone: nobody but this user may enter it.
    """

    number: int
    workers: int
    folder: Path

    @property
    def is_host(self) -> bool:
        """Whether this is the process that hosts what is run once."""
        return self.number == 0

    @property
    def speaks(self) -> bool:
        """Whether this is the one that logs what all of them find."""
        return self.number == 1

    @property
    def host_socket(self) -> Path:
        """Where the host answers the workers."""
        return self.folder / "host.sock"

    @property
    def worker_sockets(self) -> dict[int, Path]:
        """Where each worker answers the host, by its number."""
        numbers = range(1, self.workers + 1)
        return {number: self.folder / f"worker-{number}.sock" for number in numbers}
