"""What can be told about a picture without knowing objects: its size, colours and text.

Orders: `threads` (default 1), and `seconds` that reading one picture may take (default 20).
"""

import time
from collections.abc import Callable, Iterator

from gateway.schema.json import JsonObject
from gateway_local.sight.colours import colours_of
from gateway_local.sight.opening import flat, opened
from gateway_local.sight.text import Reader


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
        picture = opened(data)
        yield None
        text = yield from self._reader.read(
            flat(picture.frame), is_time_up=lambda: self._clock() > end
        )
        facts: JsonObject = {
            "width": picture.width,
            "height": picture.height,
            "format": picture.format,
            "frames": picture.frames,
            "colours": [
                {"name": name, "share": share} for name, share in colours_of(picture.frame)
            ],
            "lines": list(text.lines),
            "confidence": text.confidence,
            "unread": text.unread,
        }
        yield facts, b""
