"""What a row of the fault matrix is: one fault, one check, one figure."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.ground import Ground


class CannotRunError(Exception):
    """What a row needs and this machine has not; it says what."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What a check came to; `is_met` says whether that is good enough."""

    figure: str
    is_met: bool
    is_run: bool = True
    """Without it the figure says what is missing here; such a row is never met."""


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
    environment: Callable[[Path], Mapping[str, str]] | None = None
    """Makes in a folder what its gateway needs, and returns the variables that tell it where.

    Raises `CannotRunError`.
    """
    most_s: float = 60.0
    """After this it has failed."""
