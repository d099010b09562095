"""The engine `painter`: draws prompts and changes pictures, without any model."""

from collections.abc import Iterator

from PIL import Image

from gateway.schema.json import JsonObject
from gateway.sdk.pictures.decode import decode
from gateway.sdk.pictures.encode import encode
from gateway.sdk.workshop import EngineRefusal
from gateway_local.painting.compose import compose
from gateway_local.painting.describe import NATURE, describe
from gateway_local.painting.edit import Edit, change
from gateway_local.painting.scene import read

Made = tuple[JsonObject, bytes]
"""Facts of a picture, and its bytes."""

_SMALLEST, _LARGEST, _USUAL = 64, 2048, 768
_MOST_PICTURES = 10
_SEEDS = 2**64
_COMPRESSION = 1  # What is drawn here is unpacked again at once.


def load(orders: JsonObject) -> "Painter":
    """Return the painter, which knows all it needs."""
    return Painter()


class Painter:
    """Draws and changes pictures; the same arguments always give the same pictures."""

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
        mask = decode(blobs[-1], param="mask", most_side=_LARGEST).image if has_mask else None
        sources = []
        for blob in blobs[: len(blobs) - has_mask]:
            sources.append(decode(blob, most_side=_LARGEST).image)
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


def _made(image: Image.Image, seed: int, said: str) -> Made:
    metadata = {"Software": "dynagate painter", "Description": said, "Seed": str(seed)}
    facts: JsonObject = {
        "width": image.width,
        "height": image.height,
        "media_type": "image/png",
        "seed": seed,
        "revised_prompt": said,
    }
    return facts, encode(image, "image/png", metadata=metadata, compression=_COMPRESSION)


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
