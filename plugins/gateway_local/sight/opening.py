"""Strangers' pictures, opened: few formats, bounded size, and no trust in what they say."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, ImageStat

from gateway.sdk.workshop import EngineRefusal

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MAX_BYTES = 10 * 1024 * 1024
MAX_PIXELS = 64_000_000
_KEPT_PIXELS = 8_000_000  # Enough for an A4 page at 280 dots an inch.
_KEPT_SIDE = 8192
_BRIGHT = 140
_TURNED = frozenset({5, 6, 7, 8})  # Orientations of Exif in which rows are columns.


@dataclass(frozen=True, slots=True)
class Opened:
    """The first frame of a picture, upright, RGB or RGBA, made smaller when it has over 8 MP.

    `width` and `height` are the file's own, upright too; `format` is one of `FORMATS`.
    """

    frame: Image.Image
    width: int
    height: int
    format: str
    frames: int


def opened(data: bytes) -> Opened:
    """Decode a picture.

    Raises `EngineRefusal` for anything but a whole picture of `FORMATS` with at most 10 MiB and
    64 megapixels.
    """
    if len(data) > MAX_BYTES:
        raise _refusal(f"a picture may have {MAX_BYTES} bytes, this one has {len(data)}")
    try:
        file = Image.open(BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except Exception as error:
        raise _refusal("this is no PNG, JPEG, WebP, GIF or BMP picture") from error
    if file.width * file.height > MAX_PIXELS:
        raise _too_large()
    width, height, kind = file.width, file.height, str(file.format)
    try:
        frames = int(getattr(file, "n_frames", 1))
        is_turned = file.getexif().get(ExifTags.Base.Orientation, 1) in _TURNED
        frame = _frame(file)
    except MemoryError:
        raise
    except Exception as error:
        raise _refusal("this picture is damaged or incomplete") from error
    if is_turned:
        width, height = height, width
    return Opened(frame, width, height, kind, frames)


def flat(frame: Image.Image) -> Image.Image:
    """Return `frame` in RGB; what is transparent gets the background that shows its content."""
    if frame.mode == "RGB":
        return frame
    alpha = frame.getchannel("A")
    visible = ImageStat.Stat(frame.convert("L"), mask=alpha.point(lambda value: value > 0 and 255))
    is_bright = visible.count[0] > 0 and visible.mean[0] > _BRIGHT
    background = Image.new("RGB", frame.size, "black" if is_bright else "white")
    background.paste(frame, mask=alpha)
    return background


def _frame(file: Image.Image) -> Image.Image:
    longest = max(file.size)
    scale = min(1.0, (_KEPT_PIXELS / (file.width * file.height)) ** 0.5, _KEPT_SIDE / longest)
    size = (max(1, round(file.width * scale)), max(1, round(file.height * scale)))
    file.draft("RGB", size)  # A JPEG is decoded at a half, a quarter or an eighth.
    mode = "RGBA" if file.has_transparency_data else "RGB"
    frame = file if file.mode == mode else _converted(file, mode)
    # Whole pixels first: 64 megapixels are 256 MB, and every other way to shrink copies them.
    shrink = (max(1, frame.width // size[0]), max(1, frame.height // size[1]))
    frame = frame.reduce(shrink) if max(shrink) > 1 else frame
    if frame.width > size[0] or frame.height > size[1]:
        frame = frame.resize(size, Image.Resampling.BICUBIC)
    # Cameras write how they were held, and leave the pixels as they were.
    return ImageOps.exif_transpose(frame)


def _converted(file: Image.Image, mode: str) -> Image.Image:
    if file.mode.startswith("I"):  # 16 bits a pixel, which convert() would cut off, not scale.
        deep = np.asarray(file, dtype=np.uint32)
        return Image.fromarray((deep >> 8).astype(np.uint8)).convert(mode)
    return file.convert(mode)


def _too_large() -> EngineRefusal:
    return _refusal(f"a picture may have {MAX_PIXELS // 10**6} megapixels, this one has more")


def _refusal(message: str) -> EngineRefusal:
    return EngineRefusal("caller_fault", message, "messages")
