"""One attempt's stay at its target: the place at the gate, and what the target's health learns."""

from gateway.pipeline.routing.target import Target
from gateway.schema.failure import Failure

_KEYS_OWN = frozenset({Failure.CREDENTIAL, Failure.QUOTA, Failure.RATE_LIMIT})
"""What is the fault of a key where there are several; all else is the upstream's."""
_KEY_LACKS = frozenset({Failure.MODEL_ACCESS, Failure.MODEL_GONE})
"""What is so for one key and one model; OpenAI answers 404, too, for what a key may not use."""


class Visit:
    """Begins with a place at the gate and ends with `leave`, once, whatever came of it."""

    __slots__ = ("_epoch", "_is_over", "_key_epoch", "target")

    def __init__(self, target: Target) -> None:
        self.target = target
        self._epoch = target.health.epoch
        self._key_epoch = 0 if target.key is None else target.key.epoch
        self._is_over = False

    def began(self, seconds: float, *, is_stream: bool) -> None:
        """Note how long the first piece of a stream took, or the whole answer."""
        health = self.target.health
        is_fresh = self._epoch == health.epoch
        health.began(self._epoch, seconds, is_stream=is_stream)
        if is_fresh:
            self._epoch = health.epoch
        key = self.target.key
        if key is not None:
            is_fresh = self._key_epoch == key.epoch
            key.began(self._key_epoch, seconds, is_stream=is_stream)
            if is_fresh:
                self._key_epoch = key.epoch

    def failed(self, failure: Failure, retry_after_s: float | None = None) -> None:
        """Note a failure, before `leave`."""
        key = self.target.key
        if key is not None and failure in _KEYS_OWN:
            key.failed(self._key_epoch, failure, retry_after_s)
        elif key is not None and failure in _KEY_LACKS:
            key.lack(self.target.model, failure)
        else:
            self.target.health.failed(self._epoch, failure, retry_after_s)

    def answered(self) -> None:
        """Note that the answer came to its end well."""
        self.target.health.answered(self._epoch)
        if self.target.key is not None:
            self.target.key.answered(self._key_epoch)

    def leave(self) -> None:
        """Give the place to the next."""
        if not self._is_over:
            self._is_over = True
            self.target.health.leave(self._epoch)
            if self.target.key is not None:
                self.target.key.leave(self._key_epoch)
            self.target.connected.gate.leave()
