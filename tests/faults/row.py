"""What a row of the fault matrix is: one fault, one check, one figure."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.ground import Ground


@dataclass(frozen=True, slots=True)
class Reached:
    """What a check came to; `is_met` says whether that is good enough."""

    figure: str
    is_met: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, how it is made, and what must come of it.

    `check` returns what was reached, or raises: then the row is missed, too.
    """

    id: str
    fault: str
    """What was done."""
    target: str
    check: Callable[[Ground], Awaitable[Reached]]
    is_counted: bool = False
    """It asserts counts and order alone, and quickly: it is one of `make test`, too."""
    defects: tuple[str, ...] = ()
    """What of the stand-in makes the check miss, each by itself."""
    weakness: Mapping[str, Any] | None = None  # Any: sections of the file.
    """Where the stand-in is not enough: a configuration with which the gateway itself misses."""
    descriptors: int | None = None
    """How many files its gateway may open."""
    plugin: Callable[[Path], Path] | None = None
    """Writes a distribution into a folder, and returns where its gateway is to find it."""
    most_s: float = 60.0
    """After this it has failed."""
