"""A text that comes in pieces is looked through as if it had come at once."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.config.guarding import Guard, Guards
from gateway.pipeline.rules.guarded_text import (
    MAX_MATCHES,
    WINDOW_CHARS,
    Findings,
    Rule,
    Scanner,
    guard_set,
)


def rules(*patterns: str, action: str = "redact", replace: str = "#") -> tuple[Rule, ...]:
    section = [
        Guard.model_validate({"pattern": pattern, "action": action, "replace": replace})
        for pattern in patterns
    ]
    found = guard_set(Guards(output=tuple(section)))
    assert found is not None
    return found.output


def scan(rules: tuple[Rule, ...], *pieces: str, hold: int = 10) -> tuple[list[str], Findings]:
    """Return what leaves after each piece and at the end, and what was found."""
    findings = Findings({})
    scanner = Scanner(rules, hold, findings)
    return [*(scanner.feed(piece) for piece in pieces), scanner.end()], findings


def test_at_most_so_many_characters_are_held_back() -> None:
    left, findings = scan(rules("secret"), "0123456789abc", "def", "g")

    assert left == ["012", "345", "6", "789abcdefg"]
    assert findings.names == {}


def test_what_is_split_over_pieces_is_found_before_its_beginning_has_left() -> None:
    left, findings = scan(rules("secret"), *"my secret is out, my secrets are")

    assert "".join(left) == "my # is out, my #s are"
    assert findings.names == {"output-1": "redact"}


@given(
    st.text(alphabet="ab é\n", max_size=60),
    st.lists(st.integers(1, 7), min_size=1, max_size=20),
)
@example(text=" abaaaaaaa", sizes=[1])
@settings(max_examples=200, deadline=None)
def test_however_it_is_cut_the_outcome_is_the_same(text: str, sizes: list[int]) -> None:
    looked = rules(r"ab{1,3}", r"\bé\b", r"(?m)^ a", replace="<>")
    pieces: list[str] = []
    at = 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size

    cut, _ = scan(looked, *pieces, hold=8)
    whole, _ = scan(looked, text, hold=8)

    assert "".join(cut) == "".join(whole)


def test_what_overlaps_is_replaced_once_and_nothing_of_it_stays() -> None:
    left, findings = scan(rules("abcd", "cdef"), "xabcdefx")

    assert "".join(left) == "x#x"
    assert set(findings.names) == {"output-1", "output-2"}


def test_a_word_that_began_before_is_no_word_of_its_own() -> None:
    left, _ = scan(rules(r"\bsecret\b"), "nosecret ", "a secret", hold=3)

    assert "".join(left) == "nosecret a #"


def test_a_block_lets_out_what_stood_before_it_and_nothing_after() -> None:
    left, findings = scan(rules("stop", action="block"), "before sto", "p after", "more")

    assert "".join(left) == "before "
    assert findings.blocking is not None
    assert findings.blocking.name == "output-1"


def test_a_flag_changes_nothing() -> None:
    left, findings = scan(rules("a", action="flag"), "banana")

    assert "".join(left) == "banana"
    assert findings.names == {"output-1": "flag"}


def test_more_matches_than_anybody_needs_block() -> None:
    left, findings = scan(rules("x"), "x" * (MAX_MATCHES + 1))

    assert findings.blocking is not None
    assert len("".join(left)) <= MAX_MATCHES


@pytest.mark.parametrize("hold", [1, 100])
def test_a_long_text_is_looked_through_in_windows(hold: int) -> None:
    text = "a secret " * WINDOW_CHARS

    left, _ = scan(rules("never"), text, hold=hold)

    assert "".join(left) == text


def test_a_pattern_that_ruins_others_takes_no_longer_here() -> None:
    """Python's `re` would take longer than the age of the universe."""
    text = "a" * 100_000 + "x" * 100_000 + "b"

    left, _ = scan(rules(r"(a+)+$", r"(x.*y)|z"), text)

    assert "".join(left) == text


def test_the_end_of_a_text_is_its_end_and_not_that_of_a_piece() -> None:
    left, _ = scan(rules("end$"), "the end", " is the ", "end", hold=3)

    assert "".join(left) == "the end is the #"
