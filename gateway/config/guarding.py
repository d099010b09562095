"""What a model's requests and answers may not say: `models.<name>.guards`.

Patterns are RE2's, whose time grows with the text and with nothing else. `re` took 0.3 s for 22
letters with `(a+)+$`, RE2 0.1 ms for 100,000; 16 MB take it 70 ms (2 cores, 2026-11). `regex` stops
after a timeout, in which the event loop stands still.
"""

import re
from collections.abc import Iterator
from typing import Any, Literal, Protocol

from pydantic import Field

from gateway.config.problems import Finding, Loc
from gateway.config.section import Section

REDACTED = "[redacted]"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_UNSAFE = re.compile(r"[\x00-\x1f\"\\]")
_EXTRA = "dynagate[guards]"
_PATTERN_BYTES = 1024 * 1024
"""Of one pattern and of what RE2 learns of texts; callers' texts must not fill more."""

Action = Literal["block", "redact", "flag"]


class Guard(Section):
    """`models.<name>.guards.input[]` and `.output[]`: what to look for, and what to do then."""

    pattern: str = Field(min_length=1, max_length=4096)
    action: Action = "block"
    replace: str = Field(REDACTED, max_length=256)
    """What stands in the place of what is found, with `redact`."""
    message: str | None = Field(None, min_length=1, max_length=500)
    """What the caller is told, with `block`."""
    name: str | None = None


class Guards(Section):
    """`models.<name>.guards`: looked for in what callers ask, and in what models answer."""

    input: tuple[Guard, ...] = Field((), max_length=64)
    output: tuple[Guard, ...] = Field((), max_length=64)
    hold_chars: int = Field(100, ge=1, le=4096)
    """The last characters of a stream are held back: what is found may be so long."""


class Found(Protocol):
    """One match."""

    def start(self) -> int:
        """Return where it begins."""

    def end(self) -> int:
        """Return where it ends."""


class Pattern(Protocol):
    """A compiled pattern."""

    def finditer(self, text: str, pos: int = 0) -> Iterator[Found]:
        """Yield the matches from `pos` on, which knows what stands before it."""


class PatternError(ValueError):
    """A pattern that RE2 does not take, or no RE2 at all; the message says so."""


def compiled(pattern: str) -> Pattern:
    """Return the pattern; raises `PatternError`."""
    try:
        import re2  # noqa: PLC0415 - an extra.
    except ImportError:
        raise PatternError(f"needs RE2: pip install '{_EXTRA}'") from None
    options = re2.Options()
    options.log_errors = False  # It would write the pattern to stderr.
    options.never_capture = True
    options.max_mem = _PATTERN_BYTES
    try:
        found: Any = re2.compile(pattern, options)  # Any: re2 has no types.
        is_empty = found.search("") is not None
    except (re2.error, UnicodeEncodeError) as error:
        said = error.args[0] if isinstance(error, re2.error) else "this is no text"
        said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        message = f"RE2 does not take it: {said} (it knows no look-around and no back-references)"
        raise PatternError(message) from None
    if is_empty:
        raise PatternError("it fits where nothing is: let it need a character at least")
    typed: Pattern = found
    return typed


def name_of(guard: Guard, side: str, index: int) -> str:
    """Return what headers, logs and errors call a guard: one without a name by its place."""
    return guard.name or f"{side}-{index + 1}"


def wrong_guards(guards: Guards, loc: Loc) -> Iterator[Finding]:
    """Yield what cannot be meant in the section at `loc`."""
    taken: dict[str, str] = {}
    for side in ("input", "output"):
        for index, guard in enumerate(getattr(guards, side)):
            place: Loc = (*loc, side, index)
            try:
                compiled(guard.pattern)
            except PatternError as error:
                yield Finding((*place, "pattern"), str(error))
            name = name_of(guard, side, index)
            if not _NAME.fullmatch(name):
                message = "should be letters, digits, _ and -, 64 at most: it stands in headers"
                yield Finding((*place, "name"), message)
            elif name in taken:
                yield Finding((*place, "name"), f"{taken[name]} is called {name}, too: rename one")
            taken.setdefault(name, f"{side}[{index}]")
            given = guard.model_fields_set
            if "replace" in given and guard.action != "redact":
                yield Finding((*place, "replace"), "only `action: redact` replaces anything")
            elif _UNSAFE.search(guard.replace):
                message = "may have no quotes, backslashes and line breaks, which would break JSON"
                yield Finding((*place, "replace"), message)
            if guard.message is not None and guard.action != "block":
                yield Finding((*place, "message"), "only `action: block` tells the caller anything")
