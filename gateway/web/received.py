"""What a request has from its beginning to its end."""

from dataclasses import dataclass

from aiohttp import web
from multidict import istr

from gateway.pipeline.call import Services
from gateway.pipeline.watch import precise_now
from gateway.web.access import Access
from gateway.web.snapshot import Snapshot

SERVER_TIMING = istr("Server-Timing")


@dataclass(slots=True)
class Received:
    """One request: its id, and the configuration whose providers stay connected until `let_go`."""

    request_id: str
    client_request_id: str | None
    """The id that the caller gave, if it can be repeated."""
    headers: dict[str, str]
    """What every answer to it carries: its own, to be filled."""
    access: Access
    """The rules of the listener that it came to."""
    snapshot: Snapshot
    began: float
    """A reading of `precise_now`."""
    is_over: bool = False

    def timing(self) -> dict[str, str]:
        """Return the header that tells how long it took until now, in ms (W3C Server Timing)."""
        return {SERVER_TIMING: f"total;dur={(precise_now() - self.began) * 1000:.1f}"}

    def let_go(self) -> None:
        """Need the configuration no more. Who reads for ever does so at once."""
        if not self.is_over:
            self.is_over = True
            self.snapshot.services.users.leave()
            # A connection that stays open holds its last request, which must not hold all of this.
            del self.snapshot


RECEIVED = web.RequestKey("received", Received)
"""One key for all: each costs a request half a microsecond."""


def services_of(request: web.Request) -> Services:
    """Return what the steps work with for this request: always the same."""
    return request[RECEIVED].snapshot.services


def request_id_of(request: web.Request) -> str:
    """Return the request's id, which is ours."""
    return request[RECEIVED].request_id


def shared_headers(request: web.Request) -> dict[str, str]:
    """Return the headers that every answer to `request` carries."""
    return request[RECEIVED].headers
