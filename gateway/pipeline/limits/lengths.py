"""How long the answers of a call may get: what its caller asks for, in the caller's own fields."""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.schema.ask import Ask, Feature
from gateway.schema.json import Wire

_CEILINGS: Mapping[Wire | None, tuple[str, ...]] = MappingProxyType(
    {
        Wire.OPENAI_CHAT: ("max_tokens", "max_completion_tokens"),
        Wire.OPENAI_COMPLETIONS: ("max_tokens",),
    }
)
"""What the formats call the most tokens of an answer."""
WRITES = frozenset({Feature.TEXT, Feature.COMPLETION})
"""What is answered with tokens; what else is counted in them only reads some."""
TOKENED = WRITES | {Feature.EMBEDDING, Feature.MODERATION}
OUTPUT_TOKENS = 4096
"""What an answer is taken to have at most when nobody says."""


def ceilings_of(ask: Ask) -> dict[str, int]:
    """Return the most tokens of each answer that the ask names, by the fields that do so."""
    names = _CEILINGS.get(ask.wire, ())
    return {name: ask.document[name] for name in names if ask.document.get(name) is not None}


def answers_of(ask: Ask) -> tuple[int, str]:
    """Return how many answers a target writes for the ask, and the field that asks for most.

    Of `best_of` drafts the caller sees `n`, and every prompt has answers of its own.
    """
    if ask.wire not in _CEILINGS:
        return 1, "n"
    asked = {"n": ask.document.get("n") or 1}
    if ask.wire is Wire.OPENAI_COMPLETIONS:
        prompt = ask.document["prompt"]
        # A list of numbers is one text, as tokens.
        several = isinstance(prompt, list) and not isinstance(prompt[0], int)
        asked["best_of"] = ask.document.get("best_of") or 1
        asked["prompt"] = len(prompt) if several else 1
    written = max(asked["n"], asked.get("best_of", 1)) * asked.get("prompt", 1)
    return written, max(asked, key=lambda name: asked[name])


def output_ceiling(ask: Ask) -> tuple[str | None, int]:
    """Return the most tokens that may be written, and the field that says so, None if none does."""
    choices, _ = answers_of(ask)
    if given := ceilings_of(ask):
        name = max(given, key=lambda one: given[one])
        return name, given[name] * choices
    # A format's own fields have been looked at: what else one names is not what it is held to.
    known = None if ask.wire is not None else ask.knobs.get("max_output_tokens")
    if isinstance(known, int):
        return "max_tokens", known * choices
    return None, OUTPUT_TOKENS * choices


def said_in(ask: Ask) -> str:
    """Return the field that holds what is read."""
    return next((name for name in ("messages", "prompt", "input") if name in ask.document), "input")
