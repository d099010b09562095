"""How large an encoded picture is, read from its first bytes."""

import re
import struct

_JPEG_FRAME = re.compile(rb"[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]")


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG, JPEG, WebP, GIF or BMP as stored; None if unknown.

    A JPEG that says it lies on its side is measured as it lies.
    """
    try:
        size = _read(data)
    except (struct.error, IndexError):
        return None
    return size if size is not None and min(size) > 0 else None


def _read(data: bytes) -> tuple[int, int] | None:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _pair(">II", data, 16)
    if data[:6] in {b"GIF87a", b"GIF89a"}:
        return _pair("<HH", data, 6)
    if data.startswith(b"BM"):
        width, height = _pair("<ii", data, 18)
        return width, abs(height)  # Negative for rows from the top down.
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    return _jpeg(data) if data.startswith(b"\xff\xd8") else None


def _pair(layout: str, data: bytes, offset: int) -> tuple[int, int]:
    width, height = struct.unpack_from(layout, data, offset)
    return width, height


def _webp(data: bytes) -> tuple[int, int] | None:
    """Read the three kinds of first chunk: lossy (RFC 6386, 9.1), lossless, extended."""
    match data[12:16]:
        case b"VP8 ":
            width, height = _pair("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            sides = data[24:30]
            return (
                int.from_bytes(sides[:3], "little") + 1,
                int.from_bytes(sides[3:], "little") + 1,
            )
        case _:  # Any other four bytes: a kind that is not known here.
            return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Walk the segments to the frame header (ITU-T T.81, B.2.2)."""
    offset = 2
    while data[offset] == 0xFF:  # noqa: PLR2004 - what every marker begins with.
        marker = data[offset + 1 : offset + 2]
        if marker == b"\xff":  # Fill bytes may precede a marker.
            offset += 1
            continue
        if _JPEG_FRAME.match(marker):
            height, width = _pair(">HH", data, offset + 5)
            return width, height
        (length,) = struct.unpack_from(">H", data, offset + 2)
        offset += 2 + length
    return None
