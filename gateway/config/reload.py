"""What a running gateway makes of its file when that has changed: what differs, and what may."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import SecretStr

from gateway.config.document import Document
from gateway.config.load import Loaded, load
from gateway.config.problems import Finding, Loc, Problem, dotted

FIXED: Final[tuple[Loc, ...]] = (
    ("server", "host"),
    ("server", "port"),
    ("server", "workers"),
    ("server", "drain_s"),
    ("server", "bounds"),
    ("admin", "listen"),
    ("limits", "tracked_callers"),
    ("state",),
    ("ledger", "durability"),
    ("ledger", "spool_bytes"),
    ("ledger", "retention_days"),
    ("egress",),
    ("images", "keep"),
    ("images", "source_bytes"),
    ("images", "source_pixels"),
    ("feeds",),
    ("cache",),
    ("idempotency",),
)
"""Sections and keys that need a restart: what is made of them lives as long as the process."""
LIVE: Final[tuple[Loc, ...]] = (
    ("server", "public_url"),
    ("server", "trusted_proxies"),
    ("server", "allowed_hosts"),
    ("server", "cors"),
    ("server", "watch"),
    ("admin", "secret"),
    ("auth",),
    ("limits", "anonymous"),
    ("limits", "wait_s"),
    ("limits", "waiting"),
    ("limits", "ietf_fields"),
    ("plans",),
    ("ledger", "aborted"),
    ("images", "watermark"),
    ("deadlines",),
    ("health",),
    ("retries",),
    ("logs",),
    ("plugins",),
    ("chat",),
    ("providers",),
    ("models",),
)
"""Those that a reload changes. A test demands that every key stands in one of the two."""
_SHOWN_OF_PROVIDERS: Final = frozenset({"kind", "concurrent", "queue", "pace"})
"""The rest of a provider's section may hold what is secret, or a part of it."""
_MOST_CHARS = 200
_FIXED_MESSAGE = (
    "this cannot change while the gateway runs: restart it to apply the file, or write again what "
    "was here"
)
Shown = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Change:
    """A key that differs. `was` and `now` are None where there is nothing, or nothing to show."""

    loc: Loc
    what: Literal["added", "removed", "changed"]
    was: Shown = None
    now: Shown = None

    def __str__(self) -> str:
        """Return the line that the operator reads."""
        line = f"{self.what} {dotted(self.loc)}"
        if self.was is None and self.now is None:
            return line
        return f"{line}: {_said(self.was)} -> {_said(self.now)}"


@dataclass(frozen=True, slots=True)
class Failed:
    """A reload that changed nothing: `at` is Unix time in seconds, `why` it was tried."""

    at: float
    why: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """Which configuration is in force: `generation` counts from 1, `loaded_at` is Unix time.

    `failed` is what came of the last reload, if that was not good.
    """

    generation: int
    loaded_at: float
    failed: Failed | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reload did, or would do: no change, no new generation."""

    standing: Standing
    changes: tuple[Change, ...] = field(default=())


def read_next(before: Loaded, environ: Mapping[str, str]) -> tuple[Loaded, tuple[Change, ...]]:
    """Read the file of `before` again, with the options that it was read with; blocks.

    Raises `ConfigError`, also for a change that needs a restart.
    """
    loaded = load(before.path, environ, overrides=before.source.overrides)
    found = tuple(changes(before.document, loaded.document))
    fixed = [change.loc for change in found if is_fixed(change.loc)]
    if fixed:
        raise loaded.error(Finding(loc, _FIXED_MESSAGE) for loc in fixed)
    return loaded, found


def is_fixed(loc: Loc) -> bool:
    """Say whether what stands at `loc` needs a restart."""
    return any(loc[: len(fixed)] == fixed for fixed in FIXED)


def changes(before: Document, after: Document) -> list[Change]:
    """Return how `after` differs, in the order of the document; nothing in it is secret."""
    return list(_differences((), before.model_dump(), after.model_dump()))


def _differences(loc: Loc, before: object, after: object) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            here: Loc = (*loc, str(key))
            if key not in after:
                yield Change(here, "removed")
            elif key not in before:
                yield Change(here, "added")
            else:
                yield from _differences(here, before[key], after[key])
    elif _are_lists_alike(before, after):
        for index, (one, other) in enumerate(zip(_items(before), _items(after), strict=True)):
            yield from _differences((*loc, index), one, other)
    elif before != after:
        yield Change(loc, "changed", _shown(loc, before), _shown(loc, after))


def _are_lists_alike(before: object, after: object) -> bool:
    both = isinstance(before, list | tuple) and isinstance(after, list | tuple)
    return both and len(_items(before)) == len(_items(after))


def _items(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()


def _shown(loc: Loc, value: object) -> Shown:
    """Return what may be shown of a value at `loc`; None where that is nothing."""
    is_private = loc[0] == "state" or isinstance(value, SecretStr)
    if loc[0] == "providers":
        is_private = len(loc) < 3 or loc[2] not in _SHOWN_OF_PROVIDERS  # noqa: PLR2004
    if is_private or not isinstance(value, str | int | float | bool):
        return None
    return value[:_MOST_CHARS] if isinstance(value, str) else value


def _said(value: Shown) -> str:
    return "none" if value is None else repr(value)


def summary(found: Iterable[Change], most: int = 20) -> str:
    """Return `found` in one line, the first `most` of them, without values."""
    named = [f"{change.what} {dotted(change.loc)}" for change in found]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return "; ".join(named[:most]) + more
