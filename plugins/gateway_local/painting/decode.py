"""Strangers' pictures: what they are is read from their bytes, and nothing large is unpacked."""

import struct
import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageFile, ImageOps

from gateway.sdk.workshop import EngineRefusal
from gateway_local.painting.fit import MOST, contain

MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 64 * 1000 * 1000

_FORMATS = {
    "image/jpeg": "JPEG",
    "image/png": "PNG",
    "image/webp": "WEBP",
    "image/gif": "GIF",
    "image/avif": "AVIF",
    "image/bmp": "BMP",
}
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    IndexError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ZeroDivisionError,
    Image.DecompressionBombError,
)
"""What Pillow's readers raise for files that are not what they say."""

_SIXTEEN_BITS = 257  # 65,535 / 255


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture (RGB, or RGBA when anything of it is transparent), upright, and what it came as."""

    image: Image.Image
    media_type: str


def sniff(data: bytes) -> str | None:
    """Return the media type that `data` begins like, whatever it is called; None is no picture."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[:6] in {b"GIF87a", b"GIF89a"}:
        return "image/gif"
    if data[4:8] == b"ftyp" and data[8:12] in {b"avif", b"avis"}:
        return "image/avif"
    return "image/bmp" if data[:2] == b"BM" else None


def decode(
    data: bytes,
    *,
    param: str = "image",
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    most: int = MOST,
) -> Decoded:
    """Return the picture in `data`, made smaller until no side is longer than `most`.

    Of an animation the first frame. Raises `EngineRefusal` that names `param`: for more than
    `max_bytes` or `max_pixels` (read from the header, before anything is unpacked), for what is no
    picture of the six types, and for files that are broken or cut off.
    """
    if len(data) > max_bytes:
        raise _refused(f"The picture has {len(data)} bytes; {max_bytes} are the most.", param)
    media_type = sniff(data)
    if media_type is None:
        accepted = ", ".join(name.removeprefix("image/") for name in _FORMATS)
        raise _refused(f"This is no picture: send one of {accepted}.", param)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Our own limit is lower than the one warned about.
            image = Image.open(BytesIO(data), formats=(_FORMATS[media_type],))
            pixels = image.width * image.height
            if pixels > max_pixels:
                raise _refused(
                    f"The picture is {image.width} by {image.height} pixels; "
                    f"{max_pixels:,} are the most.",
                    param,
                )
            return Decoded(_loaded(image, most), media_type)
    except EngineRefusal:
        raise
    except _BROKEN as error:
        raise _refused(f"The {media_type} picture is broken or incomplete.", param) from error


def _loaded(image: ImageFile.ImageFile, most: int) -> Image.Image:
    # A JPEG can be unpacked at an eighth of its size: cheaper, and as good for what follows.
    image.draft("RGB", (most, most))
    image.load()
    upright = contain(_plain(ImageOps.exif_transpose(image)), most)
    if upright.mode == "RGBA" and upright.getchannel("A").getextrema() == (255, 255):
        return upright.convert("RGB")
    return upright


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda level: level / _SIXTEEN_BITS).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB")


def flat(image: Image.Image) -> Image.Image:
    """Return `image` without transparency, on white."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    paper = Image.new("RGB", image.size, (255, 255, 255))
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _refused(message: str, param: str) -> EngineRefusal:
    return EngineRefusal("caller_fault", message, param)
