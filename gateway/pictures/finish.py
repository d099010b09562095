"""The engine `finish`: looks at callers' pictures, and gets anybody's ready for the caller."""

from collections.abc import Iterator
from pathlib import Path

from gateway.pictures.fonts import Fonts
from gateway.pictures.watermark import watermark
from gateway.schema.json import JsonObject
from gateway.sdk.pictures.decode import Decoded, decode, head
from gateway.sdk.pictures.encode import MEDIA_TYPES, encode
from gateway.sdk.pictures.fit import cover
from gateway.sdk.pictures.metadata import facts_of
from gateway.sdk.workshop import EngineRefusal

Made = tuple[JsonObject, bytes]
"""Facts of a picture, and its bytes."""

_MOST_BYTES = 64 * 1024 * 1024
"""Of a provider's picture, which nobody has compressed for its way: twice 2048 by 2048 as PNG."""


def load(orders: JsonObject) -> "Finisher":
    """Return the engine. `orders` may name font files (`fonts`) to use instead of the found."""
    files = orders.get("fonts")
    return Finisher(Fonts(None if files is None else [Path(str(file)) for file in files]))


class Finisher:
    """Holds the fonts, which are read once."""

    def __init__(self, fonts: Fonts) -> None:
        self._fonts = fonts

    def check(self, arguments: JsonObject, blobs: list[bytes]) -> Made:
        """Return what the one picture of `blobs` says that it is: its pixels stay packed.

        Facts: `media_type`, `width`, `height`. `param` is who is at fault for more than `max_bytes`
        or `max_pixels`, or for what is no picture.
        """
        seen = head(
            blobs[0],
            param=arguments["param"],
            max_bytes=arguments["max_bytes"],
            max_pixels=arguments["max_pixels"],
        )
        return {"media_type": seen.media_type, "width": seen.width, "height": seen.height}, b""

    def finish(self, arguments: JsonObject, blobs: list[bytes]) -> Iterator[Made | None]:
        """Yield the one picture of `blobs` as it goes to the caller.

        `width` and `height` (both or none), `watermark` (a text or none), `media_type` (none is the
        picture's own, or PNG where that cannot be written), `metadata` (texts by name), which wins
        over what the picture says of itself; none takes that away. Facts: `media_type`, and
        `is_same` without any bytes for a picture that needs no change. What is no picture of at
        most `max_pixels` is nobody's fault but the provider's: "transient".
        """
        source = _decoded(blobs[0], arguments["max_pixels"])
        yield None
        wanted, text = arguments["media_type"] or _writable(source.media_type), _text(arguments)
        image, size = source.image, (arguments["width"], arguments["height"])
        told: dict[str, str] | None = arguments["metadata"]
        is_same = wanted == source.media_type and text is None and told == {}
        if is_same and size in {(None, None), image.size}:
            yield {"media_type": wanted, "is_same": True}, b""
            return
        metadata = {} if told is None else facts_of(image) | told
        if None not in size:
            image = cover(image, *size)
            yield None
        if text is not None:
            image = watermark(image, text, self._fonts)
            yield None
        yield {"media_type": wanted, "is_same": False}, encode(image, wanted, metadata=metadata)


def _decoded(data: bytes, max_pixels: int) -> Decoded:
    try:
        return decode(data, max_bytes=_MOST_BYTES, max_pixels=max_pixels)
    except EngineRefusal as refusal:
        raise EngineRefusal("transient", refusal.message) from refusal


def _writable(media_type: str) -> str:
    return media_type if media_type in MEDIA_TYPES else "image/png"


def _text(arguments: JsonObject) -> str | None:
    """Return the mark, None for one that is blank."""
    return (arguments["watermark"] or "").strip() or None
