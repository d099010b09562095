"""Keeps secrets out of what people read."""

import re
from collections.abc import Iterable

_SHORTEST = 6
"""Shorter values would blank out ordinary words."""
_BEARER = re.compile(r"(?i)(\bbearer\s+|[?&](?:api_?key|key|token)=)[\w.+/=~\-]{8,}")
_KEYS = re.compile(r"\b(?:sk|dg|pk|gsk|xai)-[A-Za-z0-9_\-]{8,}")


_MOST_OLD = 256
"""Secrets of earlier configurations that are still known: calls under way may name them."""


class Redactor:
    """Replaces the secrets it is told of, and whatever looks like a key, by `[redacted]`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: dict[str, None] = {}
        self._known: re.Pattern[str] | None = None
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Know these from now on, too; of those before them the newest."""
        new = dict.fromkeys(secret for secret in secrets if len(secret) >= _SHORTEST)
        old = [secret for secret in self._secrets if secret not in new]
        self._secrets = {**dict.fromkeys(old[-_MOST_OLD:]), **new}
        known = sorted(self._secrets, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """Return `text` without secrets."""
        if self._known is not None:
            text = self._known.sub("[redacted]", text)
        return _KEYS.sub("[redacted]", _BEARER.sub(r"\1[redacted]", text))
