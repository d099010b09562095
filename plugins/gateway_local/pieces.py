"""Text to be read aloud: what can be said of it, and where it may be cut."""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

PIECE_LENGTH = 300
"""Characters that are synthesised at once: about 20 seconds of speech, a quarter second of work."""
_LONGEST_NUMBER = 15  # The library reads numbers up to decillions, and breaks beyond.
_SYMBOLS = frozenset("‘’“”–—…€£¥₹₩¢°×÷²³½¼¾µ±§©®™")  # noqa: RUF001 - what it can say besides letters
_CLAUSES = re.compile(r"(?<=[,;:—])\s+")
_SPACES = re.compile(r"[^\S\n]+")
_WRAPPED = re.compile(r"(?<=[^\n.!?:;…]) ?\n ?(?=[a-z])")
_LONG_NUMBER = re.compile(rf"\d{{{_LONGEST_NUMBER + 1},}}")


class Piece(NamedTuple):
    """A stretch of text; `pause_s`, the silence after it, is None where a sentence ends."""

    text: str
    pause_s: float | None = None


def readable(text: str) -> str:
    """Return what an English voice can say of `text`.

    Other scripts, emoji and control characters become spaces; a line that was broken within a
    sentence is made whole; numbers too long to have a name are read digit by digit.
    """
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    text = text.translate({ord(mark): _said(mark) for mark in set(text)})
    # `[words](/phonemes/)` is a command to the library; here it is text like any other.
    text = _SPACES.sub(" ", text).replace("](", "] (")
    text = _WRAPPED.sub(" ", text)
    return _LONG_NUMBER.sub(lambda digits: " ".join(digits[0]), text).strip()


def cut(sentence: str) -> Iterator[Piece]:
    """Yield a sentence in pieces of at most `PIECE_LENGTH`: cut at clauses, else words, else so."""
    rest = list(reversed(_CLAUSES.split(sentence)))
    while rest:
        clause = rest.pop()
        while rest and len(clause) + 1 + len(rest[-1]) <= PIECE_LENGTH:
            clause = f"{clause} {rest.pop()}"
        while len(clause) > PIECE_LENGTH:
            end = clause.rfind(" ", 1, PIECE_LENGTH + 1)
            end = PIECE_LENGTH if end < 0 else end
            yield Piece(clause[:end], 0.0)
            clause = clause[end:].lstrip()
        if clause:
            yield Piece(clause, 0.25 if rest else None)


def _said(mark: str) -> str:
    """Return what takes the place of one character."""
    if mark == "\n" or mark in _SYMBOLS or (mark.isascii() and mark.isprintable()):
        return mark
    if unicodedata.category(mark) == "Cf":
        return ""  # Joiners and marks of direction stand inside words.
    is_latin = mark.isalpha() and "LATIN" in unicodedata.name(mark, "")
    return mark if is_latin else " "
