"""The engine `painter`: draws prompts, changes pictures and finishes them, without any model."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from gateway.schema.json import JsonObject
from gateway.sdk.workshop import EngineRefusal
from gateway_local.painting.compose import compose
from gateway_local.painting.decode import decode, sniff
from gateway_local.painting.describe import NATURE, describe
from gateway_local.painting.edit import Edit, change
from gateway_local.painting.encode import QUALITY, encode
from gateway_local.painting.fit import cover
from gateway_local.painting.fonts import Fonts
from gateway_local.painting.scene import read
from gateway_local.painting.watermark import watermark

Made = tuple[JsonObject, bytes]
"""Facts of a picture, and its bytes."""

_SMALLEST, _LARGEST, _USUAL = 64, 2048, 768
_MOST_PICTURES = 10
_SEEDS = 2**64


def load(orders: JsonObject) -> "Painter":
    """Return the painter. `orders` may name font files (`fonts`) to use instead of the found."""
    files = orders.get("fonts")
    return Painter(Fonts(None if files is None else [Path(str(file)) for file in files]))


class Painter:
    """Draws and changes pictures; the same arguments always give the same pictures."""

    def __init__(self, fonts: Fonts) -> None:
        self._fonts = fonts

    def draw(self, arguments: JsonObject, blobs: list[bytes]) -> Iterator[Made | None]:
        """Yield `n` pictures of `prompt` as PNG, `width` by `height`, the seeds counted up.

        Also takes `style`. Facts: `seed`, `revised_prompt`, `width`, `height`, `media_type`.
        """
        prompt, seed = str(arguments.get("prompt") or ""), _seed(arguments)
        width = _side(arguments, "width") or _USUAL
        height = _side(arguments, "height") or _USUAL
        scene = read(prompt, _text(arguments, "style"))
        for number in range(_count(arguments)):
            own = _wrapped(seed + number)
            image, place = compose(scene, width, height, own)
            yield None
            yield _made(image, own, describe(scene, place))

    def edit(self, arguments: JsonObject, blobs: list[bytes]) -> Iterator[Made | None]:
        """Yield `n` changed pictures as PNG.

        `blobs` are the sources, and after them the mask if `has_mask`. `prompt` names operations;
        empty, it asks for a variation. `width` and `height` may be missing: then the source's size.
        """
        has_mask = bool(arguments.get("has_mask"))
        if len(blobs) < 1 + has_mask:
            raise EngineRefusal("caller_fault", "There is no picture to change.", "image")
        mask = decode(blobs[-1], param="mask").image if has_mask else None
        sources = []
        for blob in blobs[: len(blobs) - has_mask]:
            sources.append(decode(blob).image)
            yield None
        seed = _seed(arguments)
        for number in range(_count(arguments)):
            own = _wrapped(seed + number)
            what = Edit(
                prompt=str(arguments.get("prompt") or "").strip(),
                seed=own,
                width=_side(arguments, "width"),
                height=_side(arguments, "height"),
                style=_text(arguments, "style"),
            )
            image, said = change(sources, mask, what)
            yield None
            yield _made(image, own, f"{said} ({NATURE})")

    def finish(self, arguments: JsonObject, blobs: list[bytes]) -> Made:
        """Return the one picture of `blobs` as it goes to the caller.

        `width` and `height` (both or none), `watermark` (a text or none), `media_type` (none is
        the picture's own, or PNG where that cannot be written), `metadata` (texts by name),
        `quality` (1 to 100). A picture that needs no change stays as it is, byte for byte.
        """
        data = blobs[0]
        width, height = arguments.get("width"), arguments.get("height")
        text, metadata = _text(arguments, "watermark"), arguments.get("metadata") or {}
        own_type = sniff(data)
        wanted = _text(arguments, "media_type") or _writable(own_type)
        picture = decode(data, max_bytes=_FINISH_BYTES).image
        is_asis = wanted == own_type and text is None and not metadata
        if is_asis and (width, height) in {(None, None), picture.size}:
            return _facts(picture, wanted), data
        if width is not None and height is not None:
            picture = cover(picture, int(width), int(height))
        if text is not None:
            picture = watermark(picture, text, self._fonts)
        told = {str(name): str(value) for name, value in metadata.items()}
        quality = int(arguments.get("quality") or QUALITY)
        return _facts(picture, wanted), encode(picture, wanted, metadata=told, quality=quality)


_FINISH_BYTES = 64 * 1024 * 1024  # Ours or a provider's, not a caller's: 2048 by 2048 as raw PNG.


def _made(image: Image.Image, seed: int, said: str) -> Made:
    metadata = {"Software": "dynagate painter", "Description": said, "Seed": str(seed)}
    facts = {**_facts(image, "image/png"), "seed": seed, "revised_prompt": said}
    return facts, encode(image, "image/png", metadata=metadata)


def _facts(image: Image.Image, media_type: str) -> JsonObject:
    return {"width": image.width, "height": image.height, "media_type": media_type}


def _writable(media_type: str | None) -> str:
    can = {"image/jpeg", "image/png", "image/webp", "image/avif"}
    return media_type if media_type in can else "image/png"


def _text(arguments: JsonObject, name: str) -> str | None:
    value = arguments.get(name)
    return None if value is None else str(value)


def _side(arguments: JsonObject, name: str) -> int | None:
    value = arguments.get(name)
    if value is None:
        return None
    if not _SMALLEST <= int(value) <= _LARGEST:
        raise EngineRefusal("caller_fault", f"{name} is {_SMALLEST} to {_LARGEST} pixels.", name)
    return int(value)


def _count(arguments: JsonObject) -> int:
    count = int(arguments.get("n") or 1)
    if not 1 <= count <= _MOST_PICTURES:
        raise EngineRefusal("caller_fault", f"n is 1 to {_MOST_PICTURES}.", "n")
    return count


def _seed(arguments: JsonObject) -> int:
    value = arguments.get("seed")
    return 0 if value is None else int(value)


def _wrapped(seed: int) -> int:
    """Return `seed` as a signed 64-bit number."""
    return (seed + _SEEDS // 2) % _SEEDS - _SEEDS // 2
