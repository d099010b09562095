"""Whether what several processes share can be reached, as operators are told."""

import logging

_log = logging.getLogger("dynagate.state")


class Condition:
    """What cannot be reached now, and what that has cost. `place` names the server in the log.

    Each part of it (`counters`, a feed) fails and works for itself; the log tells of the first that
    fails, and of the time when all work again.
    """

    def __init__(self, place: str = "") -> None:
        self._place = place
        self._lost: dict[str, str] = {}
        self.uncounted_calls = 0
        """Calls that met the policy for a server that is down."""
        self.dropped_events = 0
        """Events of feeds that nobody could be told of."""

    @property
    def is_down(self) -> bool:
        """Whether any part cannot be reached."""
        return bool(self._lost)

    @property
    def reason(self) -> str | None:
        """Why the part that failed first did; None while all work."""
        return next(iter(self._lost.values()), None)

    def lost(self, part: str, reason: str) -> None:
        """Note that `part` cannot be reached."""
        if not self._lost:
            _log.warning("%s cannot be used (%s): state.on_state_down holds", self._place, reason)
        self._lost.setdefault(part, reason)

    def back(self, part: str) -> None:
        """Note that `part` works."""
        if self._lost.pop(part, None) is not None and not self._lost:
            _log.info("%s works again", self._place)
