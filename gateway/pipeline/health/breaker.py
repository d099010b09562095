"""How targets are, by what live calls met there: a breaker each, times, calls in flight.

Kept by the target's name, so that it outlives one loaded configuration. Nothing here waits, locks
or does I/O.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from gateway.pipeline.health.times import Times
from gateway.schema.failure import Failure
from gateway.schema.json import JsonObject

if TYPE_CHECKING:
    from gateway.pipeline.health.book import HealthBook

_log = logging.getLogger("dynagate.health")
_WEIGHT = 0.2
"""Of the newest time in an average: the last ten or so calls decide."""
_LEAD_S = 1.0
"""So long before a rest ends a free look begins: whoever is back is not kept waiting for it."""
_LOOKS_TO_A_CALL = 4
_MOST_TOLD_S = 86_400.0
_FRESH_S = 5.0
"""Who was answered so lately knows better than another process."""
_LASTING = frozenset(
    {
        Failure.CREDENTIAL,
        Failure.MODEL_ACCESS,
        Failure.QUOTA,
        Failure.MODEL_GONE,
        Failure.REGION_BLOCKED,
    }
)
"""Somebody has to do something before it works again."""
_PASSING = frozenset({Failure.RATE_LIMIT, Failure.TIMEOUT, Failure.TRANSIENT, Failure.UNKNOWN})
_COUNTED = _LASTING | _PASSING
"""Not what the caller's request is at fault for, nor weights that are not here, which costs nothing
to find out and whose message says what to do."""


class Condition(StrEnum):
    """The state of a breaker, with its usual names: open lets nothing through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class TargetHealth:
    """What is known of one target; `first_token_s` and `whole_s` are moving averages, in seconds.

    Opened by failures in a row. Once it has rested, one call is let through as a probe: its answer
    closes it, its failure opens it for twice as long.
    """

    __slots__ = (
        "_book",
        "_failed_looks",
        "_is_looked_at",
        "_until",
        "_wants_look",
        "condition",
        "epoch",
        "failures",
        "family",
        "first_token_s",
        "first_token_times",
        "in_flight",
        "measured_at",
        "name",
        "probe",
        "rests",
        "since",
        "tokens_a_s",
        "whole_s",
        "whole_times",
        "why",
    )

    opens_at_once: frozenset[Failure] = frozenset()
    """Failures of which one is enough."""

    def __init__(self, book: "HealthBook", name: str, family: str) -> None:
        self._book = book
        self.rests = 0
        """In a row; each makes the next longer."""
        self._until = 0.0
        self._failed_looks = 0
        self._wants_look = self._is_looked_at = False
        self.name = name
        self.family = family
        """The name as the configuration has it."""
        self.condition = Condition.CLOSED
        self.epoch = 0
        """Changes with the condition: what began before says nothing of now."""
        self.failures = 0
        """In a row."""
        self.why: Failure | None = None
        """The last failure that counted."""
        self.since: datetime | None = None
        self.in_flight = 0
        self.first_token_s: float | None = None
        self.whole_s: float | None = None
        self.first_token_times = Times()
        self.whole_times = Times()
        self.tokens_a_s: float | None = None
        """How fast streams are written, from their first piece on."""
        self.measured_at = 0.0
        """When a time was last measured, by `Clock.monotonic`."""
        self.probe: Callable[[], Awaitable[None]] | None = None
        """How its provider looks for nothing whether it is back; see `HealthProbe`."""

    @property
    def rest_s(self) -> float:
        """Seconds until it may be probed, 0 if it may now."""
        if self.condition is Condition.CLOSED:
            return 0.0
        return max(0.0, self._until - self._book.clock.monotonic())

    def admits(self) -> bool:
        """Say whether a call may go there now, be it as the probe."""
        if self.condition is Condition.CLOSED:
            return True
        is_rested = self._book.clock.monotonic() >= self._until
        return self.condition is Condition.OPEN and is_rested and not self._is_looked_at

    @property
    def wants_look(self) -> bool:
        """Whether its provider is to look now, shortly before a call would."""
        return self.condition is Condition.OPEN and self._wants_look and self.rest_s <= _LEAD_S

    def look(self) -> int:
        """Begin a free look, during which no call looks; `looked` must follow, with the epoch."""
        self._wants_look, self._is_looked_at = False, True
        return self.epoch

    def looked(
        self, epoch: int, failure: Failure | None, retry_after_s: float | None = None
    ) -> None:
        """Note what a free look has found, None if nothing is wrong: then a call looks.

        One that has failed opens the target anew. While it is closed only looks that fail in a row
        count, as often as calls would have to.
        """
        self._is_looked_at = False
        if epoch != self.epoch:
            return
        if failure not in _COUNTED:
            self._failed_looks = 0
            return
        self._failed_looks += 1
        is_closed = self.condition is Condition.CLOSED
        if is_closed and self._failed_looks < self._book.settings.failures:
            return
        self.failures, self.why = max(self.failures, self._failed_looks), failure
        self._open(failure, retry_after_s)

    def enter(self) -> bool:
        """Count a call in, if one is admitted; `leave` must follow then."""
        if self.condition is not Condition.CLOSED:
            if not self.admits():
                return False
            self._turn(Condition.HALF_OPEN)
        self.in_flight += 1
        return True

    def leave(self, epoch: int) -> None:
        """Count a call out; a probe that told nothing makes room for the next."""
        self.in_flight -= 1
        if self.condition is Condition.HALF_OPEN and epoch == self.epoch:
            self._turn(Condition.OPEN)

    def began(self, epoch: int, seconds: float, *, is_stream: bool) -> None:
        """Note how long the first piece of a stream took, or a whole answer; a probe has passed."""
        if is_stream:
            self.first_token_s = _average(self.first_token_s, seconds)
            self.first_token_times.add(seconds)
        else:
            self.whole_s = _average(self.whole_s, seconds)
            self.whole_times.add(seconds)
        self.measured_at = self._book.clock.monotonic()
        if self.condition is Condition.HALF_OPEN and epoch == self.epoch:
            self.failures = self._failed_looks = 0
            self._turn(Condition.CLOSED)
            self._book.on_change(self)
            _log.info("target %s answers again: it is closed", self.name)

    def outrun(self, seconds: float, *, is_stream: bool) -> None:
        """Note that nobody waited longer than so many seconds, since somebody else answered.

        Without it only quick answers would be known, and ever less would be late.
        """
        (self.first_token_times if is_stream else self.whole_times).add(seconds)

    def wrote(self, tokens: int, seconds: float) -> None:
        """Note how long a stream took from its first piece to its end."""
        if tokens > 1 and seconds > 0:
            self.tokens_a_s = _average(self.tokens_a_s, tokens / seconds)

    def answered(self, epoch: int) -> None:
        """Note a call that came to its end well."""
        if epoch == self.epoch and self.condition is Condition.CLOSED:
            self.failures = self.rests = 0

    def failed(self, epoch: int, failure: Failure, retry_after_s: float | None = None) -> None:
        """Note a failure; those of callers, and of calls that began before a change, don't count.

        An upstream that says for how long it takes no more calls is believed at once.
        """
        if failure not in _COUNTED or epoch != self.epoch or self.condition is Condition.OPEN:
            return
        self.failures += 1
        self.why = failure
        told_s = retry_after_s if failure in {Failure.RATE_LIMIT, Failure.QUOTA} else None
        is_probe = self.condition is Condition.HALF_OPEN
        is_sure = told_s is not None or failure in self.opens_at_once
        if is_probe or is_sure or self.failures >= self._book.settings.failures:
            self._open(failure, told_s)

    def told_open(self, failure: Failure, rest_s: float, rests: int) -> None:
        """Take over that another process opened it; a call of our own that looks goes on.

        This process looks a second later, when the other may have told more. Has it been answered
        there just now, one failure of its own is still needed: the other may be what is broken.
        """
        now = self._book.clock.monotonic()
        has_answer = self.first_token_s is not None or self.whole_s is not None
        if self.condition is Condition.CLOSED and has_answer and now - self.measured_at < _FRESH_S:
            self.failures = max(self.failures, self._book.settings.failures - 1)
            return
        until = now + min(rest_s, _MOST_TOLD_S) + _LEAD_S
        if self.condition is Condition.HALF_OPEN or (
            self.condition is Condition.OPEN and until <= self._until
        ):
            return
        self.why, self.rests, self._until = failure, max(self.rests, rests), until
        self._wants_look = self.probe is not None and self._book.settings.probes
        if self.condition is Condition.CLOSED:
            self.since = self._book.clock.now()
            _log.warning(
                "target %s is open, as another process found: %s; it rests for %g s",
                self.name,
                failure,
                round(rest_s, 3),
            )
        self._turn(Condition.OPEN)
        self._book.has_opened.set()

    def told_closed(self) -> None:
        """Take over that another process was answered."""
        if self.condition is not Condition.CLOSED:
            self.failures = self.rests = self._failed_looks = 0
            self._turn(Condition.CLOSED)
            _log.info("target %s answers again, as another process found: it is closed", self.name)

    def _open(self, failure: Failure, told_s: float | None) -> None:
        settings = self._book.settings
        if told_s is not None:
            rest_s = min(max(told_s, 0.0), settings.rest_s)
        elif failure in _LASTING:
            rest_s = settings.rest_s
        else:
            rest_s = settings.cooldown_s * 2.0 ** min(self.rests, 16)
            rest_s = min(rest_s, settings.longest_cooldown_s)
        self.rests += 1
        # Now and then a call looks without it: what is looked at may be broken, and calls not.
        can_look = self.probe is not None and settings.probes
        self._wants_look = can_look and self.rests % _LOOKS_TO_A_CALL != 0
        self._until = self._book.clock.monotonic() + rest_s
        self._turn(Condition.OPEN)
        self.since = self._book.clock.now()
        self._book.has_opened.set()
        self._book.on_change(self)
        _log.warning(
            "target %s is open: %d failures in a row, the last was %s; it rests for %g s",
            self.name,
            self.failures,
            failure,
            rest_s,
        )

    def _turn(self, condition: Condition) -> None:
        self.condition = condition
        self.epoch += 1
        if condition is Condition.CLOSED:
            self.since = self._book.clock.now()

    def end_rest(self) -> None:
        """Let the next call be the probe, if it is open."""
        self._until = min(self._until, self._book.clock.monotonic())

    def sibling(self, name: str) -> "TargetHealth":
        """Return the health of another target of the same family."""
        return self._book.of(name, family=self.family)

    def told(self) -> JsonObject:
        """Return it for JSON; `next_probe_s` is null while it is closed."""
        is_closed = self.condition is Condition.CLOSED
        return {
            "target": self.name,
            "state": self.condition.value,
            "why": None if self.why is None else self.why.value,
            "since": None if self.since is None else self.since.isoformat(),
            "next_probe_s": None if is_closed else round(self.rest_s, 3),
            "failures": self.failures,
            "first_token_ms": _milliseconds(self.first_token_s),
            "whole_ms": _milliseconds(self.whole_s),
            "tokens_a_s": None if self.tokens_a_s is None else round(self.tokens_a_s, 1),
            "first_token_p95_ms": _milliseconds(self.first_token_times.p95_s),
            "whole_p95_ms": _milliseconds(self.whole_times.p95_s),
            "in_flight": self.in_flight,
        }


def _average(before: float | None, seconds: float) -> float:
    return seconds if before is None else before + _WEIGHT * (seconds - before)


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
