"""Gates of providers where several processes go through them."""

from dataclasses import dataclass
from pathlib import Path

from gateway.config.section import Rate
from gateway.config.upstreams import Provider
from gateway.crew.link import Link, LinkError, connect
from gateway.crew.words import Failed, Place, broken
from gateway.pipeline.attempts.gate import GateFullError


class FarGate:
    """A gate of the host: its places are the whole machine's.

    A place is a link, so that those of a worker that dies are free again.
    """

    def __init__(self, socket: Path, name: str) -> None:
        self._socket = socket
        self._name = name
        self._held: list[Link] = []

    def enter_at_once(self) -> bool:
        """See `Places.enter_at_once`: the host has to be asked."""
        return False

    async def enter(self, priority: int = 0) -> None:
        """See `Gate.enter`. Raises `UpstreamError` too, while the host is not there."""
        link: Link | None = None
        try:
            link = await connect(self._socket)
            await link.send(Place(self._name, priority))
            answer: bool | Failed = await link.receive()
        except BaseException as error:
            if link is not None:
                link.close()
            if isinstance(error, LinkError):
                raise broken(self._name) from error
            raise
        if answer is not True:
            link.close()
            if isinstance(answer, Failed):
                raise answer.raised()
            raise GateFullError
        self._held.append(link)

    def leave(self) -> None:
        """Give a place back. They are all alike, but those of a host that has ended go first."""
        gone = (number for number, link in enumerate(self._held) if link.is_gone)
        self._held.pop(next(gone, -1)).close()


@dataclass(frozen=True, slots=True)
class Share:
    """What one of `workers` may have of what is the machine's; `number` counts from 1."""

    number: int
    workers: int

    def of(self, whole: int) -> int:
        """Return this worker's part: they add up to `whole`."""
        return whole // self.workers + (self.number <= whole % self.workers)


def shared_out(section: Provider, share: Share) -> Provider:
    """Return the section with one worker's part of its places, its queue and its pace.

    `concurrent` is at least `workers`. A burst is at least one start for each worker.
    """
    pace = section.pace
    if pace is not None:
        slower = Rate(pace.rate.amount, pace.rate.period_s * share.workers)
        pace = pace.model_copy(update={"rate": slower, "burst": max(1, share.of(pace.burst))})
    return section.model_copy(
        update={
            "concurrent": share.of(section.concurrent),
            "queue": share.of(section.queue),
            "pace": pace,
        }
    )
