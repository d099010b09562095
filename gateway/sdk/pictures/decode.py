"""Strangers' pictures: what they are is read from their bytes, and nothing large is unpacked."""

import struct
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

from PIL import ExifTags, Image, ImageFile, ImageOps

from gateway.sdk.pictures.fit import within
from gateway.sdk.workshop import EngineRefusal

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
)
"""What Pillow's readers raise for files that are not what they say."""

_SIXTEEN_BITS = 257  # 65,535 / 255
_TURNED = frozenset({5, 6, 7, 8})  # Orientations of EXIF in which rows are columns.
_REDUCING_GAP = 2.0
"""Whole pixels are averaged first, down to so many times the size: as sharp, and much cheaper."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a file says before it is unpacked; `width` and `height` are as it is to be shown."""

    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture (RGB, or RGBA when anything of it is transparent), upright, and what it came as.

    It is the first of the file's `frames`. `width` and `height` are the file's own, upright too:
    `image` is smaller when that was asked for.
    """

    image: Image.Image
    media_type: str
    width: int
    height: int
    frames: int


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


def head(
    data: bytes,
    *,
    param: str = "image",
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
) -> Head:
    """Return what `data` says that it is; refuse as `decode` does, but for what only pixels show.

    A PNG may say after its pixels that it is to be turned: that is not seen.
    """
    with _opened(data, param, max_bytes, max_pixels) as (file, media_type):
        return Head(media_type, *_upright(file, file.size))


def decode(
    data: bytes,
    *,
    param: str = "image",
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    most_side: int | None = None,
    most_pixels: int | None = None,
) -> Decoded:
    """Return the picture in `data`, made smaller when it is larger than the last two allow.

    Raises `EngineRefusal` that names `param`: for more than `max_bytes` or `max_pixels` (read from
    the header, before anything is unpacked), for what is no picture of the six types, and for files
    that are broken or cut off.
    """
    with _opened(data, param, max_bytes, max_pixels) as (file, media_type):
        size = file.size
        frames = int(getattr(file, "n_frames", 1))
        image = _loaded(file, within(size, most_side=most_side, most_pixels=most_pixels))
        return Decoded(image, media_type, *_upright(file, size), frames)


@contextmanager
def _opened(
    data: bytes, param: str, max_bytes: int, max_pixels: int
) -> Generator[tuple[ImageFile.ImageFile, str]]:
    """Yield the file, held to the limits, and its media type; refuse whatever breaks meanwhile."""
    if len(data) > max_bytes:
        raise _refused(f"The picture has {len(data)} bytes; {max_bytes} are the most.", param)
    media_type = sniff(data)
    if media_type is None:
        accepted = ", ".join(name.removeprefix("image/") for name in _FORMATS)
        raise _refused(f"This is no picture: send one of {accepted}.", param)
    too_large = f"The picture has more than {max_pixels:,} pixels."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Our own limit is lower than the one warned about.
            file = Image.open(BytesIO(data), formats=(_FORMATS[media_type],))
            if file.width * file.height > max_pixels:
                raise _refused(too_large, param)
            yield file, media_type
    except Image.DecompressionBombError as error:
        raise _refused(too_large, param) from error
    except _BROKEN as error:
        raise _refused(f"The {media_type} picture is broken or incomplete.", param) from error


def _upright(file: ImageFile.ImageFile, size: tuple[int, int]) -> tuple[int, int]:
    # Asked for what it does not have, a PNG would unpack itself to look behind its pixels.
    if "exif" not in file.info:
        return size
    is_turned = file.getexif().get(ExifTags.Base.Orientation, 1) in _TURNED
    return size[::-1] if is_turned else size


def _loaded(file: ImageFile.ImageFile, size: tuple[int, int]) -> Image.Image:
    # A JPEG can be unpacked at an eighth of its size: cheaper, and as good for what follows.
    file.draft("RGB", size)
    file.load()
    image = _plain(file).resize(size, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    # Cameras write how they were held, and leave the pixels as they were.
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        return image.convert("RGB")
    return image


def _plain(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits, which convert() would cut off, not scale.
        return image.convert("I").point(lambda level: level / _SIXTEEN_BITS).convert("RGB")
    mode = "RGBA" if image.has_transparency_data else "RGB"
    return image if image.mode == mode else image.convert(mode)


def flat(image: Image.Image) -> Image.Image:
    """Return `image` without transparency, on white."""
    if image.mode != "RGBA":
        return image.convert("RGB")
    paper = Image.new("RGB", image.size, (255, 255, 255))
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _refused(message: str, param: str) -> EngineRefusal:
    return EngineRefusal("caller_fault", message, param)
