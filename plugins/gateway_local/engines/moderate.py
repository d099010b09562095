"""Moderation by lexicon in a process of its own, for texts too long for the gateway's.

Orders: none. See `gateway_local.judging`.
"""

from collections.abc import Iterator

from gateway.schema.json import JsonObject
from gateway_local.judging import Judge


def load(orders: JsonObject) -> "Moderator":
    """Read the lexicon."""
    return Moderator()


class Moderator:
    """Judges texts."""

    def __init__(self) -> None:
        self._judge = Judge()

    def moderate(
        self, arguments: JsonObject, blobs: list[bytes]
    ) -> Iterator[tuple[JsonObject, bytes] | None]:
        """Answer once for each of `texts`, in order: `scores` of all categories, and `flagged`."""
        for text in arguments["texts"]:
            scores, flagged = self._judge.judge(text)
            yield {"scores": scores, "flagged": sorted(flagged)}, b""
