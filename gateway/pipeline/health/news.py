"""What processes tell each other of targets: which have opened, and which answer again."""

import orjson

from gateway.pipeline.health.book import HealthBook
from gateway.pipeline.health.breaker import Condition, TargetHealth
from gateway.schema.failure import Failure
from gateway.schema.json import read_object
from gateway.state.notices import Notices

_FAILURES = frozenset(map(str, Failure))


class HealthNews:
    """Tells of each change that this process found itself, and takes over what others found."""

    def __init__(self, book: HealthBook, notices: Notices) -> None:
        self._book = book
        self._notices = notices
        book.on_change = self._tell

    async def run(self) -> None:
        """Hear of others until cancelled."""
        await self._notices.keep(self.hear)

    def hear(self, notice: bytes, age_s: float) -> None:
        """Take over what another process found `age_s` ago, unless it means nothing here.

        Targets that this process has never asked for, and notices of another release, are passed
        over.
        """
        match read_object(notice):
            case {"target": str(name), "state": "closed"}:
                if (health := self._book.known(name)) is not None:
                    health.told_closed()
            case {
                "target": str(name),
                "state": "open",
                "why": str(why),
                "rest_s": int() | float() as rest_s,
                "rests": int(rests),
            }:
                health = self._book.known(name)
                if health is not None and why in _FAILURES and rest_s > age_s:
                    health.told_open(Failure(why), rest_s - age_s, rests)

    def _tell(self, health: TargetHealth) -> None:
        told: dict[str, object] = {"target": health.name}
        if health.condition is Condition.CLOSED:
            told["state"] = "closed"
        else:
            told |= {
                "state": "open",
                "why": health.why,
                "rest_s": health.rest_s,
                "rests": health.rests,
            }
        self._notices.send(orjson.dumps(told))
