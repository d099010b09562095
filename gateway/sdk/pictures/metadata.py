"""What a picture says of itself: texts by name, in a PNG's text chunks, else in EXIF."""

from collections.abc import Mapping
from types import MappingProxyType

import orjson
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

_LATIN_KEY = 79  # The longest name that PNG allows.
_TAGS = MappingProxyType(
    {"Description": ExifTags.Base.ImageDescription, "Software": ExifTags.Base.Software}
)


def facts_of(image: Image.Image) -> dict[str, str]:
    """Return the `Description` and the `Software` of a decoded picture, those that it names."""
    told = image.getexif()
    found = {name: image.info.get(name, told.get(tag)) for name, tag in _TAGS.items()}
    return {name: value for name, value in found.items() if isinstance(value, str) and value}


def chunks(facts: Mapping[str, str]) -> PngInfo:
    """Return `facts` as text chunks of a PNG."""
    info = PngInfo()
    for name, value in facts.items():
        key = name.encode("ascii", "ignore").decode()[:_LATIN_KEY] or "Comment"
        if value.isascii():
            info.add_text(key, value)
        else:
            info.add_itxt(key, value)
    return info


def exif(facts: Mapping[str, str]) -> bytes:
    """Return `facts` as EXIF, all of them as JSON in its user comment."""
    if not facts:
        return b""
    made = Image.Exif()
    for name, tag in _TAGS.items():
        if name in facts:
            made[tag] = facts[name].encode("ascii", "replace").decode()
    text = orjson.dumps(dict(facts)).decode()
    comment = b"UNICODE\0" + text.encode("utf-16-le", "surrogatepass")
    made.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = comment
    return made.tobytes()
