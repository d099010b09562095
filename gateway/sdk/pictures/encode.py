"""Pictures to bytes: four formats, and what the picture says of itself."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from PIL import Image

from gateway.sdk.pictures.decode import flat
from gateway.sdk.pictures.metadata import chunks, exif
from gateway.sdk.workshop import EngineRefusal

MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/avif")
"""What can be written."""

QUALITY = 88
"""Of JPEG, WebP and AVIF when nobody says, 1 to 100."""

_LONGEST_VALUE = 4000  # Characters: all of it must fit in a JPEG's 64 KiB of EXIF.
_COMPRESSION = 4
_AVIF_SPEED = 8  # 0 (slow, small) to 10: 768 by 768 in about 0.1 s.


def encode(
    image: Image.Image,
    media_type: str,
    *,
    metadata: Mapping[str, str] | None = None,
    quality: int = QUALITY,
    compression: int = _COMPRESSION,
) -> bytes:
    """Return `image` as a file of `media_type`; the same picture always gives the same bytes.

    `metadata` goes into PNG as text chunks, else into EXIF: `Description` as the image description,
    `Software` as the software, all of it as JSON in the user comment. Values are cut at 4,000
    characters. JPEG has no transparency: that becomes white. `compression` of a PNG is 0 (quick) to
    9 (small). Other types raise `EngineRefusal`.
    """
    facts = {name: value[:_LONGEST_VALUE] for name, value in (metadata or {}).items()}
    options: dict[str, Any] = {}  # Any: what Pillow's writers take differs.
    match media_type:
        case "image/png":
            options = {"format": "PNG", "compress_level": compression, "pnginfo": chunks(facts)}
        case "image/jpeg":
            image = flat(image)
            options = {"format": "JPEG", "quality": quality, "exif": exif(facts)}
        case "image/webp":
            options = {"format": "WEBP", "quality": quality, "method": 3, "exif": exif(facts)}
        case "image/avif":
            options = {"format": "AVIF", "quality": quality, "speed": _AVIF_SPEED, "max_threads": 1}
            options["exif"] = exif(facts)
        case _:
            names = ", ".join(MEDIA_TYPES)
            raise EngineRefusal("unsupported", f"{media_type} cannot be written; {names} can.")
    out = BytesIO()
    image.save(out, **options)
    return out.getvalue()
