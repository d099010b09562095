"""How a key is of a provider that has several: a breaker for all models, and models it lacks."""

import logging

from gateway.pipeline.health.book import HealthBook
from gateway.pipeline.health.breaker import TargetHealth
from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject

_log = logging.getLogger("dynagate.health")
_MOST_MODELS = 256
"""Callers choose the names of a family's models, so that there is no end to them."""


class KeyHealth(TargetHealth):
    """Opened at once by what another key does not have; `turn` is when it was last chosen."""

    __slots__ = ("_lacking", "turn")

    opens_at_once = frozenset({Failure.CREDENTIAL, Failure.QUOTA})
    """A key that is refused stays so, and there are others."""

    def __init__(self, book: HealthBook, name: str, family: str) -> None:
        super().__init__(book, name, family)
        self.turn = 0
        self._lacking: dict[str, float] = {}

    def lack(self, model: str, failure: Failure) -> None:
        """Note that the key may not use `model`, or that it is not there for it."""
        if len(self._lacking) >= _MOST_MODELS:
            del self._lacking[next(iter(self._lacking))]
        rest_s = self._book.settings.rest_s
        self._lacking[model] = self._book.clock.monotonic() + rest_s
        _log.info("key %s is not asked for %s for %g s: %s", self.name, model, rest_s, failure)

    def lack_s(self, model: str) -> float:
        """Return the seconds until it may be asked for `model`, 0 if it may now."""
        until = self._lacking.get(model)
        if until is None:
            return 0.0
        left_s = until - self._book.clock.monotonic()
        if left_s <= 0:
            del self._lacking[model]
        return max(0.0, left_s)

    def end_rest(self) -> None:
        """See `TargetHealth.end_rest`; it may be another key by now."""
        super().end_rest()
        self._lacking.clear()

    def told(self) -> JsonObject:
        """Return it for JSON, with the models that it lacks."""
        lacking = sorted(model for model in [*self._lacking] if self.lack_s(model))
        return {**super().told(), "lacking": lacking}


def key_of(book: HealthBook, name: str) -> KeyHealth:
    """Return the health of a key, the same one each time."""
    found = book.of(name, kind=KeyHealth)
    if not isinstance(found, KeyHealth):
        msg = f"{name} is a target's name"
        raise TypeError(msg)
    return found
