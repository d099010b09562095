"""Texts to judge."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModerationRequest:
    """Texts to judge, in order."""

    model: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Scores from 0 to 1 by category (OpenAI's names), and which of them are over the line."""

    scores: Mapping[str, float]
    flagged: frozenset[str]


@dataclass(frozen=True, slots=True)
class Moderation:
    """One judgement a text, in order."""

    judgements: tuple[Judgement, ...]
    model: str | None = None
