"""Pictures to bytes: four formats, and what the picture says of itself."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import orjson
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gateway.sdk.workshop import EngineRefusal
from gateway_local.painting.decode import flat

MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/avif")
"""What can be written."""

QUALITY = 88
"""Of JPEG, WebP and AVIF when nobody says, 1 to 100."""

_LONGEST_VALUE = 4000  # Characters: all of it must fit in a JPEG's 64 KiB of EXIF.
_LATIN_KEY = 79  # The longest name that PNG allows.
_DESCRIPTION, _SOFTWARE, _EXIF_IFD, _USER_COMMENT = 0x010E, 0x0131, 0x8769, 0x9286
_AVIF_SPEED = 8  # 0 (slow, small) to 10: 768 by 768 in about 0.1 s.


def encode(
    image: Image.Image,
    media_type: str,
    *,
    metadata: Mapping[str, str] | None = None,
    quality: int = QUALITY,
) -> bytes:
    """Return `image` as a file of `media_type`; the same picture always gives the same bytes.

    `metadata` goes into PNG as text chunks, else into EXIF: `Description` as the image description,
    `Software` as the software, all of it as JSON in the user comment. Values are cut at 4,000
    characters. JPEG has no transparency: that becomes white. Other types raise `EngineRefusal`.
    """
    facts = {name: value[:_LONGEST_VALUE] for name, value in (metadata or {}).items()}
    options: dict[str, Any] = {}  # Any: what Pillow's writers take differs.
    match media_type:
        case "image/png":
            options = {"format": "PNG", "compress_level": 4, "pnginfo": _chunks(facts)}
        case "image/jpeg":
            image = flat(image)
            options = {"format": "JPEG", "quality": quality, "exif": _exif(facts)}
        case "image/webp":
            options = {"format": "WEBP", "quality": quality, "method": 3, "exif": _exif(facts)}
        case "image/avif":
            options = {"format": "AVIF", "quality": quality, "speed": _AVIF_SPEED, "max_threads": 1}
            options["exif"] = _exif(facts)
        case _:
            names = ", ".join(MEDIA_TYPES)
            raise EngineRefusal("unsupported", f"{media_type} cannot be written; {names} can.")
    out = BytesIO()
    image.save(out, **options)
    return out.getvalue()


def _chunks(facts: Mapping[str, str]) -> PngInfo:
    info = PngInfo()
    for name, value in facts.items():
        key = name.encode("ascii", "ignore").decode()[:_LATIN_KEY] or "Comment"
        if value.isascii():
            info.add_text(key, value)
        else:
            info.add_itxt(key, value)
    return info


def _exif(facts: Mapping[str, str]) -> bytes:
    if not facts:
        return b""
    exif = Image.Exif()
    for tag, name in ((_DESCRIPTION, "Description"), (_SOFTWARE, "Software")):
        if name in facts:
            exif[tag] = facts[name].encode("ascii", "replace").decode()
    text = orjson.dumps(dict(facts)).decode()
    comment = b"UNICODE\0" + text.encode("utf-16-le", "surrogatepass")
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = comment
    return exif.tobytes()
