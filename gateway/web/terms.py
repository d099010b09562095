"""What all connections of one listener share."""

from collections.abc import Callable
from dataclasses import dataclass
from logging import Logger

from gateway.config.listeners import Bounds
from gateway.schema.failure import CallError
from gateway.transport.cork import Corks

RenderError = Callable[[CallError], tuple[int, dict[str, str], bytes]]
"""Returns the status, headers and body that tell a caller about an error."""


@dataclass(slots=True)
class Terms:
    """The bounds of every connection, and how many there are."""

    bounds: Bounds
    render_error: RenderError
    logger: Logger
    corks: Corks
    max_connections: int
    """At this many the newest is aborted: beyond it accept() would fail, and asyncio spin."""
    open_connections: int = 0
    is_draining: bool = False
    """Each answer is the last one of its connection."""
