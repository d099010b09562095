"""Pictures on their way in and out."""

from logging import Logger

from gateway.schema.images import Finishing, Picture
from gateway.sdk.providers import Clock
from gateway.sdk.workshop import Workshop

_ENGINE = "finish"


class Pictures:
    """Looks at and finishes pictures in a process of its own, so that neither holds the event loop.

    Works while `run` does. The process starts with the first picture and ends after `idle_s`
    seconds without one, or when it holds more than `memory_bytes`. `max_bytes` is for callers'
    pictures, `max_pixels` for everybody's. Several may be asked for at once: they take turns.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        log: Logger,
        idle_s: float = 600.0,
        memory_bytes: int = 1 << 30,
        max_bytes: int = 10 * 1024 * 1024,
        max_pixels: int = 64_000_000,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._workshop = Workshop(
            name="pictures",
            package="gateway.pictures",
            orders={},
            idle_s=idle_s,
            memory_bytes=memory_bytes,
            clock=clock,
            log=log,
        )

    async def run(self) -> None:
        """Keep the process in order until cancelled; then there is none."""
        await self._workshop.run()

    async def stopped(self) -> None:
        """Wait until a cancelled `run` has ended its process; bounded."""
        await self._workshop.stopped()

    async def finish(self, picture: Picture, finishing: Finishing) -> Picture:
        """Return `picture` as it goes to the caller, the very bytes when nothing needs a change.

        What the picture says of itself (software, description) stays unless `finishing.metadata`
        says otherwise. Raises `UpstreamError`: transient when it cannot be read, for it is a
        provider's; unsupported for a media type that cannot be written.
        """
        asked = {
            "width": finishing.width,
            "height": finishing.height,
            "media_type": finishing.media_type,
            "watermark": finishing.watermark,
            "metadata": None if finishing.metadata is None else dict(finishing.metadata),
            "max_pixels": self._max_pixels,
        }
        facts, data = await self._workshop.only(_ENGINE, "finish", asked, (picture.data,))
        return Picture(picture.data if facts["is_same"] else data, facts["media_type"])

    async def check(self, data: bytes, *, param: str) -> Picture:
        """Return a caller's picture with the media type its bytes have; its pixels are not read.

        Raises `UpstreamError`, the caller's fault at `param`: for what is no picture, or too large.
        """
        asked = {"param": param, "max_bytes": self._max_bytes, "max_pixels": self._max_pixels}
        facts, _ = await self._workshop.only(_ENGINE, "check", asked, (data,))
        return Picture(data, facts["media_type"])
