"""Whether words ask for a transcript of the sound beside them, and for nothing else.

English alone. It errs on the side of no: the model then answers, and has the transcript before it.
"""

import re

_MAX_CHARS = 300
"""A longer text is no mere request for a transcript."""

# Alternatives, and no repetition within a repetition: linear in the text's length.
_SOUND = (
    r"(?:audio|recording|clip|file|sound|speech|voice|message|memo|note|person|speaker|man|woman)"
)
_ASKS = re.compile(
    r"\btranscri(?:be|bed|bing|pt|ption)\b"
    r"|\bspeech[ -]to[ -]text\b"
    rf"|\b(?:convert|turn) (?:the|this|that) {_SOUND} (?:in)?to text\b"
    r"|\b(?:write|type|put) (?:it |this |that |them |everything |all )?(?:down|out)\b"
    r"|\bwrite what\b"
    r"|\bwhat(?:'s| is| was| has been|s)(?: being)? (?:said|spoken)\b"
    r"|\bwhat (?:does|do|did|is|are|was) (?:the|this|that|these)"
    rf" (?:\w+ )?{_SOUND}s? (?:say|saying)\b"
    r"|\bwhat (?:does|do|did|is|are|was|am) (?:it|he|she|they|i) (?:say|saying)\b"
    r"|\bwhat (?:do|did|can|could) you hear\b",
    re.IGNORECASE,
)
_ASKS_MORE = re.compile(
    r"\b(?:translat|summar|explain|answer|repl(?:y|ies)|respon[ds]|extract|describ|analy[sz]|classif"
    r"|reformat|rewrit|rephras|correct|count|bullet|markdown|sentiment|emotion)"
    r"|\b(?:json|list|title|format|fix|why|how|who|when|where|if|then|but|not|never|without|instead"
    r"|about)\b"
    r"|n't\b",
    re.IGNORECASE,
)


def asks_for_transcript(text: str) -> bool:
    """Say whether `text` asks to have what is said written down, and asks for no more."""
    if len(text) > _MAX_CHARS:
        return False
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return _ASKS.search(text) is not None and _ASKS_MORE.search(text) is None
