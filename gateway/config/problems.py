"""What is wrong with a configuration, and where."""

from collections.abc import Iterable
from dataclasses import dataclass

Loc = tuple[str | int, ...]
"""The way from the top of the document to a value: keys, and places in lists counted from 0."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at `loc`: with the value there, or with the key itself."""

    loc: Loc
    message: str
    is_about_key: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right. `place` is `file:line:column`, or the option that gave the value."""

    place: str
    path: str
    message: str

    def __str__(self) -> str:
        """Return the line that the operator reads."""
        return ": ".join(part for part in (self.place, self.path, self.message) if part)


class ConfigError(Exception):
    """A configuration that cannot be used; its text is one line for each problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(loc: Loc) -> str:
    """Return `loc` as people write it: `models.openai.targets.0.model`."""
    return ".".join(str(step) for step in loc)
