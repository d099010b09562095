"""Words as they are meant: letters that look alike, digits for letters, s p a c e d and stretched.

Every step is linear in the text; no pattern here can backtrack.
"""

import re
import unicodedata
from collections.abc import Iterator

# Cyrillic and Greek letters drawn like Latin ones, and curly apostrophes.
_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u043a\u043c\u0442\u03bf\u03b1"
    "\u2018\u2019",
    "aeopcyxisjkmtoa''",
)
_LEET = str.maketrans("0134578@$!+", "oieastbasit")
_WIDEST = 3  # Some single characters stand for whole sentences (U+FDFA: 18).
_LONGEST_WORD = 40

_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[ .\-_*][^\W_](?![^\W_])){2,}")
_TOKEN = re.compile(r"[@$]?[^\W_](?:[^\W_]|['@$!+](?=[^\W_]))*|[.,;:!?…\n\"“”„«»]")
_STRETCHED = re.compile(r"(.)\1\1+")


def tokens(text: str) -> list[str]:
    """Return the words of `text` in small letters, and the marks between them, one by one.

    Apostrophes are gone (`dont`); disguises of single words are left to `meanings`.
    """
    plain = (text if text.isascii() else text.translate(_Plain())).casefold()
    plain = _SPACED.sub(lambda run: re.sub(r"[ .\-_*]", "", run[0]), plain)
    return [token.replace("'", "") for token in _TOKEN.findall(plain)]


def meanings(word: str) -> Iterator[str]:
    """Yield `word`, and what it is if it was disguised; nothing for what is too long to be one."""
    if len(word) > _LONGEST_WORD:
        return
    yield word
    if not word.isalpha() and any(letter.isalpha() for letter in word):
        word = word.translate(_LEET)
        yield word
    if _STRETCHED.search(word):
        yield _STRETCHED.sub(r"\1\1", word)
        yield _STRETCHED.sub(r"\1", word)


class _Plain(dict[int, str]):
    """A table for `str.translate` that is filled as characters come up.

    `unicodedata.normalize` on a whole text would take quadratic time for a run of accents.
    """

    def __missing__(self, code: int) -> str:
        parts = unicodedata.normalize("NFKD", chr(code))
        kept = (part for part in parts if unicodedata.category(part) not in {"Mn", "Cf"})
        self[code] = "".join(kept).casefold().translate(_LOOKALIKES)[:_WIDEST]
        return self[code]
