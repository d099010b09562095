"""What can be told about a picture without knowing objects: its size, colours and text.

Orders: `threads` (default 1), and `seconds` that reading one picture may take (default 20).
"""

import time
from collections.abc import Callable, Iterator

from PIL import Image, ImageStat

from gateway.schema.json import JsonObject
from gateway.sdk.pictures.decode import decode
from gateway_local.sight.colours import colours_of
from gateway_local.sight.text import Reader

_KEPT_PIXELS = 8_000_000  # Enough for an A4 page at 280 dots an inch.
_KEPT_SIDE = 8192
_BRIGHT = 140


def load(orders: JsonObject) -> "Looker":
    """Load the models; they lie in rapidocr's own package."""
    return Looker(Reader(threads=orders.get("threads", 1)), seconds=orders.get("seconds", 20.0))


class Looker:
    """Looks at pictures."""

    def __init__(
        self, reader: Reader, *, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader = reader
        self._seconds = seconds
        self._clock = clock

    def look(
        self, arguments: JsonObject, blobs: list[bytes]
    ) -> Iterator[tuple[JsonObject, bytes] | None]:
        """Answer once for each picture, in order, with facts alone.

        `width` and `height` as it is shown, `format`, `frames` (the first is looked at), `colours`
        (names with their shares), `lines` of text with their `confidence`, and `unread`, the places
        with text that there was no time for.
        """
        for data in blobs:
            yield from self._look_at(data)

    def _look_at(self, data: bytes) -> Iterator[tuple[JsonObject, bytes] | None]:
        end = self._clock() + self._seconds
        picture = decode(data, param="messages", most_side=_KEPT_SIDE, most_pixels=_KEPT_PIXELS)
        yield None
        text = yield from self._reader.read(
            _readable(picture.image), is_time_up=lambda: self._clock() > end
        )
        facts: JsonObject = {
            "width": picture.width,
            "height": picture.height,
            "format": picture.media_type.removeprefix("image/").upper(),
            "frames": picture.frames,
            "colours": [
                {"name": name, "share": share} for name, share in colours_of(picture.image)
            ],
            "lines": list(text.lines),
            "confidence": text.confidence,
            "unread": text.unread,
        }
        yield facts, b""


def _readable(image: Image.Image) -> Image.Image:
    """Return `image` in RGB; what is transparent gets the background that shows its content."""
    if image.mode == "RGB":
        return image
    alpha = image.getchannel("A")
    visible = ImageStat.Stat(image.convert("L"), mask=alpha.point(lambda value: value > 0 and 255))
    is_bright = visible.count[0] > 0 and visible.mean[0] > _BRIGHT
    background = Image.new("RGB", image.size, "black" if is_bright else "white")
    background.paste(image, mask=alpha)
    return background
