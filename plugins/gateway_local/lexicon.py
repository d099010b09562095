"""The lexicon of moderation: `lexicon.toml`, and the bits that it is compiled to.

A phrase is a row of slots, each one bit; all phrases stand side by side in one integer. Reading a
word shifts the integer and keeps the slots that the word fits (Baeza-Yates and Gonnet's shift-and,
on words). So a text costs the same few operations a word whatever it says: nothing backtracks.
"""

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from importlib.resources import files
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gateway_local.spelling import meanings

CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""OpenAI's names."""

GAP = 3
"""How many words may stand where a phrase has a gap."""
HARMLESS = "harmless"
_LEAST_STEM = 3
_SET = re.compile(r"<(\w+)>")
_CHOICE = re.compile(r"\{(\w+)\}")

_Share = Annotated[float, Field(gt=0, lt=1)]


class Rule(BaseModel):
    """Phrases that are signs of the same; see the head of `lexicon.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: tuple[str, ...] = Field(alias="in")
    weight: _Share
    say: tuple[str, ...]
    is_firm: bool = Field(default=False, alias="firm")


class Softening(BaseModel):
    """Factors for a sign that is not meant, or is somebody else's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    negated: _Share
    reported: _Share
    quoted: _Share


class Lexicon(BaseModel):
    """The data; its columns are explained in its head."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flag_at: _Share
    mention: _Share
    mentions_at_most: _Share
    softening: Softening
    negating: frozenset[str]
    reporting: frozenset[str]
    harmless: tuple[str, ...]
    words: Mapping[str, str]
    phrases: Mapping[str, tuple[str, ...]]
    mentions: Mapping[str, str]
    rules: tuple[Rule, ...] = Field(alias="rule")


def read_lexicon() -> Lexicon:
    """Return what is shipped."""
    text = files("gateway_local").joinpath("lexicon.toml").read_text("utf-8")
    return Lexicon.model_validate(tomllib.loads(text))


class Patterns:
    """All phrases of a lexicon, as bits of one integer each.

    `starts` are first slots, `ends` last ones, `optional` those of gaps, which any word fits.
    `owners` tells whose phrase ends at a bit: the number of a rule, `HARMLESS`, or a category that
    is merely mentioned.
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.starts = 0
        self.ends = 0
        self.optional = 0
        self.owners: dict[int, int | str] = {}
        self._words: dict[str, int] = {}
        self._width = 0
        for owner, phrase in _phrases(lexicon):
            for choice in _choices(phrase, lexicon):
                self._add(choice, owner)

    def fitting(self, word: str) -> int:
        """Return the slots that `word` fits, however it is disguised."""
        bits = self.optional
        for meaning in meanings(word):
            bits |= self._words.get(meaning, 0) | self._words.get(hashed(meaning), 0)
            for length in range(_LEAST_STEM, len(meaning) + 1):
                bits |= self._words.get(f"{meaning[:length]}*", 0)
        return bits

    def _add(self, phrase: str, owner: int | str) -> None:
        self.starts |= 1 << self._width
        for slot in phrase.split():
            if slot == "..":
                self.optional |= ((1 << GAP) - 1) << self._width
                self._width += GAP
                continue
            for word in slot.split("|"):
                self._words[word] = self._words.get(word, 0) | 1 << self._width
            self._width += 1
        self.ends |= 1 << self._width - 1
        self.owners[self._width - 1] = owner


def hashed(word: str) -> str:
    """Return how `word` is written in the lexicon when it had better not be read there."""
    return f"#{blake2b(word.encode(), digest_size=8).hexdigest()}"


def _phrases(lexicon: Lexicon) -> Iterator[tuple[int | str, str]]:
    for number, rule in enumerate(lexicon.rules):
        yield from ((number, phrase) for phrase in rule.say)
    yield from ((HARMLESS, phrase) for phrase in lexicon.harmless)
    for category, words in lexicon.mentions.items():
        yield category, "|".join(words.split())


def _choices(phrase: str, lexicon: Lexicon) -> Iterator[str]:
    """Yield `phrase` with its `{names}` replaced by each of their phrases, `<names>` by words."""
    names = _CHOICE.findall(phrase)
    for chosen in itertools.product(*(lexicon.phrases[name] for name in names)):
        left = iter(chosen)
        plain = _CHOICE.sub(lambda _, left=left: next(left), phrase)  # type: ignore[misc]
        yield _SET.sub(lambda found: "|".join(lexicon.words[found[1]].split()), plain)
