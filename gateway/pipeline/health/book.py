"""The health of all targets of a process, by their names: it outlives one configuration."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from itertools import chain

from gateway.config.routing import Health as Settings
from gateway.pipeline.health.breaker import Condition, TargetHealth
from gateway.sdk.clock import SystemClock
from gateway.sdk.providers import Clock

_MOST_NAMED = 2048
"""Callers choose the names of a family's targets, so that there is no end to them."""


class HealthBook:
    """The health of all targets of a process."""

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = clock or SystemClock()
        self._configured: dict[str, TargetHealth] = {}
        self._named: dict[str, TargetHealth] = {}
        self._turns: dict[str, int] = {}
        self._choices = 0
        self.has_opened = asyncio.Event()
        """Set whenever a target opens, for whoever waits for that."""
        self.on_change: Callable[[TargetHealth], None] = _tell_nobody
        """Called when this process opens a target, or finds that one answers again."""
        self._gathered: set[str] | None = None

    def turn(self, route: str) -> int:
        """Return how many calls of a route were put in turn before this one."""
        turn = self._turns.get(route, 0)
        self._turns[route] = turn + 1
        return turn

    def choice(self) -> int:
        """Return the number of a choice between keys: later ones have higher numbers."""
        self._choices += 1
        return self._choices

    def next_turn(self, route: str) -> int:
        """Return what `turn` would, and leave it at that."""
        return self._turns.get(route, 0)

    def of(
        self, name: str, *, family: str = "", kind: type[TargetHealth] = TargetHealth
    ) -> TargetHealth:
        """Return the health of a target, the same one each time; `family` if a caller named it.

        `kind` is what is made where none is known.
        """
        if self._gathered is not None:
            self._gathered.add(family or name)
        found = self.known(name)
        if found is not None:
            return found
        if not family:
            found = self._configured[name] = kind(self, name, name)
            return found
        if len(self._named) >= _MOST_NAMED:
            idle = (known for known, one in self._named.items() if not one.in_flight)
            self._named.pop(next(idle, ""), None)
        found = self._named[name] = TargetHealth(self, name, family)
        return found

    def known(self, name: str) -> TargetHealth | None:
        """Return the health of a target that has been asked for, or stands in the configuration."""
        return self._configured.get(name) or self._named.get(name)

    def __iter__(self) -> Iterator[TargetHealth]:
        """Yield all that are known, the configured ones first."""
        return chain(self._configured.values(), self._named.values())

    @contextmanager
    def gathered(self) -> Iterator[set[str]]:
        """Gather what is asked for within the block: the names of one configuration."""
        names = self._gathered = set()
        try:
            yield names
        finally:
            self._gathered = None

    def keep_only(self, targets: Collection[str], routes: Collection[str]) -> None:
        """Forget targets and routes that the configuration has no more.

        Calls that are under way have what they need of them.
        """
        gone = [name for name in self._configured if name not in targets]
        for name in gone:
            del self._configured[name]
        gone = [name for name, one in self._named.items() if one.family not in targets]
        for name in gone:
            del self._named[name]
        for one in self._named.values():
            one.probe = None  # Of a provider that may be gone; whoever is named next has its own.
        self._turns = {name: turn for name, turn in self._turns.items() if name in routes}

    def end_rests(self, targets: Collection[str]) -> None:
        """Let these targets be probed now, by their names in the configuration.

        What somebody had to do, such as write another key, may have been done.
        """
        for one in self:
            if one.family in targets:
                one.end_rest()

    def open_targets(self) -> dict[str, int]:
        """Return how many targets are not closed, by their names in the configuration."""
        counts = dict.fromkeys(self._configured, 0)
        for one in self:
            if one.condition is not Condition.CLOSED:
                counts[one.family] = counts.get(one.family, 0) + 1
        return counts


def _tell_nobody(health: TargetHealth) -> None:
    """Keep it: no other process is there."""
