"""One text, looked through by guards while it comes in pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.config.guarding import Action, Guard, Guards, Pattern, compiled, name_of

WINDOW_CHARS = 16 * 1024
"""Looked through at once: RE2 begins anew after each match, and may look to the end each time."""
MAX_MATCHES = 10_000
"""Of one call: so many are no accident, and each costs microseconds."""
_MORE = "\ue000"
"""Stands for what is to come: `$` must not fit where a text is merely not complete."""


class Rule(NamedTuple):
    """A guard, compiled."""

    name: str
    pattern: Pattern
    action: Action
    replace: str
    message: str | None


class GuardSet(NamedTuple):
    """A model's guards, compiled, and as they are configured."""

    section: Guards
    input: tuple[Rule, ...]
    output: tuple[Rule, ...]
    hold_chars: int


def guard_set(section: Guards | None) -> GuardSet | None:
    """Return the guards of a section whose patterns were checked; None where there are none."""
    if section is None or not (section.input or section.output):
        return None
    asked, answered = _rules(section.input, "input"), _rules(section.output, "output")
    return GuardSet(section, asked, answered, section.hold_chars)


def _rules(guards: Sequence[Guard], side: str) -> tuple[Rule, ...]:
    rules = []
    for index, guard in enumerate(guards):
        name, pattern = name_of(guard, side, index), compiled(guard.pattern)
        rules.append(Rule(name, pattern, guard.action, guard.replace, guard.message))
    return tuple(rules)


@dataclass(slots=True)
class Findings:
    """What guards found: their names, which a call gathers, and the one that blocks the text."""

    names: dict[str, Action]
    blocking: Rule | None = None
    matches: int = 0
    is_redacted: bool = False


class Scanner:
    """Looks through one text; up to `hold_chars` characters of what was fed are held back.

    What is found may be as long as that wherever the pieces begin and end; of something longer a
    part may be missed. Once `findings.blocking` is set nothing more comes out.
    """

    __slots__ = ("_before", "_covered", "_held", "_hold_chars", "_rules", "_searched", "findings")

    def __init__(self, rules: Sequence[Rule], hold_chars: int, findings: Findings) -> None:
        self._rules = rules
        self._hold_chars = hold_chars
        self._before = ""
        """The last character that left, for patterns that ask what stands before them."""
        self._held = ""
        self._covered = 0
        """So much of what is held belongs to a match whose replacement has left."""
        self._searched = [0] * len(rules)
        """Where in what is held each rule goes on, behind its own last match."""
        self.findings = findings

    def feed(self, piece: str) -> str:
        """Return what may leave, maybe nothing."""
        return self._through(piece, is_last=False)

    def end(self) -> str:
        """Return what was held back; the text is complete."""
        return self._through("", is_last=True)

    def _through(self, piece: str, *, is_last: bool) -> str:
        out = []
        for start in range(0, len(piece), WINDOW_CHARS):
            self._held += piece[start : start + WINDOW_CHARS]
            out.append(self._next(is_last=False))
        if is_last:
            out.append(self._next(is_last=True))
        return "".join(out)

    def _next(self, *, is_last: bool) -> str:
        if self.findings.blocking is not None:
            return ""
        text, begin = self._before + self._held, len(self._before)
        sure = len(text) if is_last else len(text) - self._hold_chars
        if sure <= begin:
            return ""
        out, at = [], begin + self._covered
        for start, end, rule in self._matches(text, begin, sure):
            if rule.action == "block":
                self.findings.blocking = rule
                out.append(text[at : max(at, start)])
                self._held = ""
                return "".join(out)
            if start >= at:
                out += (text[at:start], rule.replace)
                self.findings.is_redacted = True
            at = max(at, end)  # What overlaps is one.
        out.append(text[at:sure])
        self._before, self._held = text[sure - 1 : sure], text[sure:]
        self._covered = max(0, at - sure)
        return "".join(out)

    def _matches(self, text: str, begin: int, sure: int) -> list[tuple[int, int, Rule]]:
        """Return what is to be blocked or replaced, of all that begins before `sure`."""
        found: list[tuple[int, int, Rule]] = []
        limit = len(text)
        if sure < limit:
            text += _MORE
        for number, rule in enumerate(self._rules):
            if rule.action == "flag" and rule.name in self.findings.names:
                continue
            searched = begin + self._searched[number]
            for match in rule.pattern.finditer(text, searched):
                start, end = match.start(), min(match.end(), limit)
                if start >= sure:
                    break
                if start == end:
                    continue  # Such as a word's edge.
                searched = end
                if not self._note(rule, start, end, found):
                    break
            self._searched[number] = max(0, searched - sure)
        found.sort(key=lambda one: one[:2])
        return found

    def _note(self, rule: Rule, start: int, end: int, found: list[tuple[int, int, Rule]]) -> bool:
        """Note a match, and say whether the rule is to go on."""
        findings = self.findings
        findings.names.setdefault(rule.name, rule.action)
        if rule.action == "flag":
            return False
        findings.matches += 1
        is_too_much = findings.matches > MAX_MATCHES
        found.append((start, end, rule._replace(action="block") if is_too_much else rule))
        return not is_too_much and rule.action != "block"
