"""How answers are said in their callers' dialects: what handlers give to whoever writes them."""

from typing import Protocol, runtime_checkable

from gateway.schema.ask import Ask
from gateway.schema.events import Collected, StreamEvent
from gateway.schema.reply import Made
from gateway.web.feeds import Feeds


class StreamRendering(Protocol):
    """A dialect's frames for one generation's events."""

    def render(self, event: StreamEvent) -> bytes:
        """Return the frames that `event` adds, maybe none."""

    def end(self) -> bytes:
        """Return the last frames."""


class Rendering(Protocol):
    """How one request is answered in its caller's dialect; enough for bytes as they come."""

    @property
    def ask(self) -> Ask:
        """The request that is answered."""

    def headers(self) -> dict[str, str]:
        """Return headers of the dialect's own for a good answer."""


@runtime_checkable
class TextRendering(Rendering, Protocol):
    """How a generation is said. `created` is in Unix seconds."""

    def whole(self, collected: Collected, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return the media type and the body of a whole generation."""

    def stream(self, *, request_id: str, created: int) -> StreamRendering:
        """Return what renders a streamed generation."""


@runtime_checkable
class ThingRendering(Rendering, Protocol):
    """How a thing is handed over."""

    async def made(self, reply: Made, *, request_id: str, created: int) -> tuple[str, bytes]:
        """Return the media type and the body."""


@runtime_checkable
class PublicRendering(Rendering, Protocol):
    """How a generation that ended well is told to the feeds, if it `is_public`."""

    @property
    def is_public(self) -> bool:
        """Whether it may be told."""

    def publish(self, feeds: Feeds) -> None:
        """Put what may be public of it into its feed; never waits."""
