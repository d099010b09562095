"""Moderation by lexicon: a heuristic for English, not a model, and labelled so.

It knows phrases, not meaning: irony, other languages and new slang pass it, and a harsh joke does
not. Pure Python without imports that take time, so that it may run in the gateway's own process.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway_local.lexicon import CATEGORIES, GAP, HARMLESS, Lexicon, Patterns, read_lexicon
from gateway_local.spelling import tokens

MAX_CHARACTERS = 1_000_000
"""What is judged of a text: half a second on a quiet core at worst, twice that on a busy one."""
_BREAKS = frozenset(".!?…\n")
_QUOTES = frozenset('"“”„«»')
_MARKS = _BREAKS | _QUOTES | frozenset(",;:")
_SENTENCE = 4  # "I. Will. Do. It." is one sentence: a full stop counts after so many words.
_HITS = 256  # Of one phrase; more change no score.
_NEGATED_BEFORE = 2
_REPORTED_BEFORE, _REPORTED_AFTER = 8, 6
_QUOTED_AT_MOST = 80
_OUTSIDE_AT_LEAST = 4
_PARENTS = {category: category.partition("/")[0] for category in CATEGORIES if "/" in category}


class Judge:
    """Judges texts; made once (a few milliseconds), used from any thread."""

    def __init__(self, lexicon: Lexicon | None = None) -> None:
        self._lexicon = lexicon or read_lexicon()
        self._patterns = Patterns(self._lexicon)

    def judge(self, text: str) -> tuple[dict[str, float], frozenset[str]]:
        """Return a score from 0 to 1 for each of `CATEGORIES`, and which of them are flagged.

        Takes about a microsecond a word. Signs add up as independent chances do; mere mentions
        of a subject never reach the line by themselves.
        """
        reading = _read(text[:MAX_CHARACTERS], self._patterns)
        mentioned: Counter[str] = Counter()
        weighed: list[tuple[float, int, tuple[int, ...]]] = []
        for owner, positions in self._signs(reading):
            if isinstance(owner, str):
                mentioned[owner] += 1
            else:
                weighed.append((self._weight(owner, positions, reading), owner, positions))
        # The strongest first: of signs that share words, only one counts.
        scores = self._scores(sorted(weighed, reverse=True), mentioned)
        line = self._lexicon.flag_at
        return scores, frozenset(name for name, score in scores.items() if score >= line)

    def _signs(self, reading: "_Reading") -> Iterator[tuple[int | str, tuple[int, ...]]]:
        """Return owners and where their words are; what touches something harmless is left out."""
        harmless: set[int] = set()
        found: list[tuple[int | str, tuple[int, ...]]] = []
        for bit, ends in reading.hits.items():
            owner = self._patterns.owners[bit]
            for end in ends:
                positions = _positions(self._patterns, reading.masks, bit, end)
                if owner == HARMLESS:
                    harmless.update(range(positions[0], positions[-1] + 1))
                else:
                    found.append((owner, positions))
        return ((owner, at) for owner, at in found if harmless.isdisjoint(at))

    def _weight(self, owner: int, positions: tuple[int, ...], reading: "_Reading") -> float:
        """Return the weight of a sign where it stands."""
        rule, soft = self._lexicon.rules[owner], self._lexicon.softening
        weight = rule.weight
        if reading.is_negated(positions, self._lexicon.negating):
            weight *= soft.negated
        if rule.is_firm:
            return weight
        if reading.is_near(positions, self._lexicon.reporting):
            weight *= soft.reported
        elif reading.is_quoted(positions):
            weight *= soft.quoted
        return weight

    def _scores(
        self, signs: Sequence[tuple[float, int, tuple[int, ...]]], mentioned: Mapping[str, int]
    ) -> dict[str, float]:
        doubts = dict.fromkeys(CATEGORIES, 1.0)
        taken: dict[str, set[int]] = {category: set() for category in CATEGORIES}
        counted: set[int] = set()
        for weight, rule, positions in signs:
            if rule in counted:
                continue
            counted.add(rule)
            for category in self._lexicon.rules[rule].categories:
                if taken[category].isdisjoint(positions):
                    taken[category].update(positions)
                    doubts[category] *= 1.0 - weight
        for category, count in mentioned.items():
            weight = min(count * self._lexicon.mention, self._lexicon.mentions_at_most)
            # A mention lends nothing to a sign: reports are full of both.
            doubts[category] = min(doubts[category], 1.0 - weight)
        for category, parent in _PARENTS.items():
            doubts[parent] = min(doubts[parent], doubts[category])
        return {category: round(1.0 - doubt, 4) for category, doubt in doubts.items()}


@dataclass(slots=True)
class _Reading:
    """A text's words, the slots that each fits, and where phrases ended, by their last bits.

    A full stop is a word that is empty and fits no slot. `pauses` are the words after a comma or
    the like, `quotes` those after a quotation mark.
    """

    words: list[str] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)
    pauses: set[int] = field(default_factory=set)
    quotes: list[int] = field(default_factory=list)
    hits: dict[int, list[int]] = field(default_factory=dict)

    def is_negated(self, positions: tuple[int, ...], negating: frozenset[str]) -> bool:
        """Say whether a negation stands in the gaps of a sign, or just before it."""
        start, end = positions[0], positions[-1]
        inside = (at for at in range(start, end) if at not in positions)
        if any(self.words[at] in negating for at in inside):
            return True
        for at in range(start - 1, max(-1, start - 1 - _NEGATED_BEFORE), -1):
            if at + 1 in self.pauses:
                return False
            if self.words[at] in negating:
                return True
        return False

    def is_near(self, positions: tuple[int, ...], words: frozenset[str]) -> bool:
        """Say whether one of `words` stands around a sign, or in its gaps."""
        around = range(
            max(0, positions[0] - _REPORTED_BEFORE),
            min(len(self.words), positions[-1] + 1 + _REPORTED_AFTER),
        )
        return any(self.words[at] in words for at in around if at not in positions)

    def is_quoted(self, positions: tuple[int, ...]) -> bool:
        """Say whether a sign stands in a quotation within a longer text."""
        after = bisect_right(self.quotes, positions[0])
        if after % 2 == 0 or after == len(self.quotes):
            return False
        begin, end = self.quotes[after - 1], self.quotes[after]
        outside = len(self.words) - (end - begin)
        is_inside = positions[-1] < end and end - begin <= _QUOTED_AT_MOST
        return is_inside and outside >= _OUTSIDE_AT_LEAST


def _read(text: str, patterns: Patterns) -> _Reading:
    reading = _Reading()
    words, masks = reading.words, reading.masks
    fitting: dict[str, int] = {}
    starts, ends, optional = patterns.starts, patterns.ends, patterns.optional
    state = sentence = 0
    for token in tokens(text):
        if token in _MARKS:
            reading.pauses.add(len(words))
            if token in _QUOTES:
                reading.quotes.append(len(words))
            if token not in _BREAKS or sentence < _SENTENCE:
                continue
            state = sentence = 0
            words.append("")
            masks.append(0)
            continue
        mask = fitting.get(token)
        if mask is None:
            mask = fitting[token] = patterns.fitting(token)
        sentence += 1
        words.append(token)
        masks.append(mask)
        state = ((state << 1) | starts) & mask
        if not state:
            continue
        # A gap may stay empty: what stands before it stands in it too.
        for _ in range(GAP):
            state |= (state << 1) & optional
        ended = state & ends
        while ended:
            bit = ended.bit_length() - 1
            ended ^= 1 << bit
            hits = reading.hits.setdefault(bit, [])
            hits.append(len(words) - 1)
            if len(hits) == _HITS:
                ends ^= 1 << bit
    return reading


def _positions(patterns: Patterns, masks: list[int], bit: int, end: int) -> tuple[int, ...]:
    """Return where the words stand of the phrase that ended there; gaps as short as can be."""
    open_ends: list[tuple[int, tuple[int, ...]]] = [(bit, (end,))]
    while open_ends:
        bit, positions = open_ends.pop()
        if patterns.starts >> bit & 1:
            return positions
        is_gap = patterns.optional >> (bit - 1) & 1
        before = bit - 1 - (GAP if is_gap else 0)
        # The last put is the first taken: the shortest gap.
        for skipped in reversed(range(GAP + 1 if is_gap else 1)):
            at = positions[0] - 1 - skipped
            if at >= 0 and masks[at] >> before & 1 and all(masks[at + 1 : positions[0]]):
                open_ends.append((before, (at, *positions)))
    return (end,)
