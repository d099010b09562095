"""What a prompt asks to see, read by rules: word lists, plurals, numbers and colours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway_local.painting import words
from gateway_local.painting.colours import NAMED, Rgb

_TOKEN = re.compile(r"[a-z]+|\d+|[^\W\d_]+|[,.;:!?]", re.UNICODE)
_STOPS = frozenset(",.;:!?")
_LONGEST_PHRASE = 3
_MOST_WORDS = 400  # A prompt is text of any length; what comes after this is not read.
_MOST_OF_A_KIND = 12
_PLURAL = 3
_LINKS = frozenset({"is", "are", "coloured", "colored"})


@dataclass(frozen=True, slots=True)
class Subject:
    """One sort of thing: `count` of them (1 to 12), `word` as the prompt has it."""

    kind: str
    word: str
    count: int = 1
    colour: Rgb | None = None
    colour_name: str | None = None
    size: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything the painter takes from a prompt; pure data, equal for equal prompts.

    `land` is in the order of the prompt. `tint` is a colour that belongs to no noun. `unknown` are
    the words that changed nothing, in order.
    """

    prompt: str
    time: str | None = None
    weather: str | None = None
    season: str | None = None
    mood: str | None = None
    style: str | None = None
    land: tuple[str, ...] = ()
    subjects: tuple[Subject, ...] = ()
    sky_colour: Rgb | None = None
    tint: Rgb | None = None
    tint_name: str | None = None
    unknown: tuple[str, ...] = ()
    land_colours: Mapping[str, Rgb] = field(default_factory=dict)

    @property
    def is_abstract(self) -> bool:
        """Nothing in the prompt is anything that can be drawn."""
        return not (self.land or self.subjects or self.time or self.weather or self.season)

    @property
    def has_lake(self) -> bool:
        """There is a lake: asked for, or because calm mountains and nothing else want one."""
        is_bare = not self.subjects and set(self.land) <= {"mountains", "field"}
        return "lake" in self.land or (self.mood == "calm" and "mountains" in self.land and is_bare)

    def first(self, kind: str) -> Subject | None:
        """Return the subject of this kind, if there is one."""
        return next((subject for subject in self.subjects if subject.kind == kind), None)

    def has(self, *kinds: str) -> bool:
        """Return whether any of `kinds` is on land or among the subjects."""
        return any(k in self.land or self.first(k) is not None for k in kinds)


def read(prompt: str, style: str | None = None) -> Scene:
    """Return what `prompt` asks for; never fails. `style` wins over a style in the prompt."""
    reader = _Reader()
    tokens = _TOKEN.findall(prompt.lower())[:_MOST_WORDS]
    at = 0
    while at < len(tokens):
        if tokens[at] in _STOPS:
            at += 1
            continue
        end = next((i for i, word in enumerate(tokens[at:], at) if word in _STOPS), len(tokens))
        for length in range(min(_LONGEST_PHRASE, end - at), 0, -1):
            if reader.take(" ".join(tokens[at : at + length]), is_phrase=length > 1):
                at += length
                break
        else:
            reader.miss(tokens[at])
            at += 1
    scene = reader.scene(prompt)
    wanted = _style_named(style)
    return replace(scene, style=wanted) if wanted is not None else scene


def _style_named(style: str | None) -> str | None:
    found = None
    for token in _TOKEN.findall((style or "").lower()):
        found = found or words.STYLES.get(token)
    return words.STYLES.get((style or "").lower().replace("-", " ").strip(), found)


class _Reader:
    """Goes through the words once; what an adjective says waits for its noun."""

    def __init__(self) -> None:
        self._facts: dict[str, str] = {}
        self._land: list[str] = []
        self._land_colours: dict[str, Rgb] = {}
        self._subjects: dict[str, Subject] = {}
        self._unknown: list[str] = []
        self._colour: str | None = None
        self._number: int | None = None
        self._size: str | None = None
        self._last: str | None = None
        self._is_linked = False
        self._is_negated = False
        self._sky: Rgb | None = None
        self._tint: str | None = None

    def take(self, phrase: str, *, is_phrase: bool) -> bool:
        """Use `phrase` if it means anything; say whether it did."""
        word, is_plural = (phrase, False) if phrase in words.THINGS else _singular(phrase)
        known = word in words.THINGS or word in words.LAND or self._is_said(word)
        if self._is_negated and known:
            self._is_negated = False
            self._forget()
            return True
        is_noun = self._noun(word, phrase, is_plural=is_plural)
        is_said = self._say(phrase) or self._say(word)
        return is_noun or is_said or (not is_phrase and self._modify(phrase))

    def miss(self, word: str) -> None:
        """Note a word that means nothing here."""
        if word in words.NEGATIONS:
            self._is_negated = True
            return
        if word in _LINKS:
            self._is_linked = True
        if word in {"sky", "skies"}:
            self._sky = NAMED.get(self._colour or "") or self._sky
            self._colour = None
        elif word not in words.MUTE and len(word) > 1:
            self._is_negated = False
            if word not in self._unknown:
                self._unknown.append(word)

    def scene(self, prompt: str) -> Scene:
        """Return everything that was read."""
        tint = self._tint or self._colour
        return Scene(
            prompt=prompt,
            time=self._facts.get("time"),
            weather=self._facts.get("weather"),
            season=self._facts.get("season"),
            mood=self._facts.get("mood"),
            style=self._facts.get("style"),
            land=tuple(dict.fromkeys(self._land)),
            subjects=tuple(self._subjects.values()),
            sky_colour=self._sky,
            tint=NAMED.get(tint or ""),
            tint_name=tint,
            unknown=tuple(self._unknown),
            land_colours=self._land_colours,
        )

    def _is_said(self, word: str) -> bool:
        return any(word in table for table in (words.TIMES, words.WEATHERS, words.SEASONS))

    def _say(self, word: str) -> bool:
        tables = {
            "time": words.TIMES,
            "weather": words.WEATHERS,
            "season": words.SEASONS,
            "style": words.STYLES,
            "mood": words.MOODS,
        }
        found = {name: table[word] for name, table in tables.items() if word in table}
        for name, meaning in found.items():
            self._facts.setdefault(name, meaning)
        return bool(found)

    def _noun(self, word: str, phrase: str, *, is_plural: bool) -> bool:
        kind = words.THINGS.get(word)
        if kind is not None:
            self._add(kind, word, is_plural=is_plural)
            return True
        land = words.LAND.get(word)
        if land is None:
            return False
        self._land.append(land)
        if self._colour is not None:
            self._land_colours.setdefault(land, NAMED[self._colour])
        self._last = land
        self._forget()
        return True

    def _add(self, kind: str, word: str, *, is_plural: bool) -> None:
        count = self._number or (_PLURAL if is_plural else 1)
        before = self._subjects.get(kind)
        colour = self._colour or (before.colour_name if before else None)
        self._subjects[kind] = Subject(
            kind=kind,
            word=word,
            count=min(_MOST_OF_A_KIND, count + (before.count if before else 0)),
            colour=NAMED.get(colour or words.NATURAL.get(word, "")),
            colour_name=colour,
            size=self._size or (before.size if before else None),
        )
        self._last = kind
        self._forget()

    def _modify(self, word: str) -> bool:
        if word in NAMED:
            if self._is_linked and self._last is not None:
                self._paint_last(word)
            elif self._colour is None:
                self._colour = word
            else:
                self._tint = self._tint or self._colour
                self._colour = word
            self._is_linked = False
            return True
        number = words.NUMBERS.get(word, int(word) if word.isdecimal() else None)
        if number is not None:
            if 1 <= number <= _MOST_OF_A_KIND:
                self._number = number
            return True
        if word in words.SIZES:
            self._size = words.SIZES[word]
            return True
        return False

    def _paint_last(self, colour: str) -> None:
        last = self._subjects.get(self._last or "")
        if last is not None:
            self._subjects[last.kind] = replace(last, colour=NAMED[colour], colour_name=colour)
        elif self._last is not None:
            self._land_colours[self._last] = NAMED[colour]

    def _forget(self) -> None:
        self._colour = None
        self._number = None
        self._size = None
        self._is_linked = False


def _singular(word: str) -> tuple[str, bool]:
    """Return `word`, or what it is the plural of, and whether it is a plural."""
    head, _, last = word.rpartition(" ")
    lead = f"{head} " if head else ""
    if last in words.IRREGULAR:
        return lead + words.IRREGULAR[last], True
    if last in words.NOT_PLURAL or not last.endswith("s"):
        return word, False
    known = (words.THINGS, words.LAND)
    for end, other in (("ies", "y"), ("es", ""), ("s", "")):
        single = lead + last.removesuffix(end) + other
        if last.endswith(end) and any(single in table for table in known):
            return single, True
    return word, False
