"""Strangers' pictures: read by their bytes, held to their limits."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageFile

from gateway.sdk.pictures.decode import Head, decode, flat, head, sniff
from gateway.sdk.workshop import EngineRefusal


def encoded(kind: str, size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, (200, 60, 20)).save(out, kind, **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has almost no data."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
        for tag, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP"])
def test_the_six_types_are_read_whatever_they_are_called(kind: str) -> None:
    decoded = decode(encoded(kind))

    assert decoded.media_type == f"image/{kind.lower()}"
    assert decoded.image.size == (40, 30)
    assert decoded.image.mode == "RGB"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><body>404</body></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?xml version='1.0'?><svg/>",
        b"%PDF-1.7",
        b"II*\0" + b"\0" * 100,
        b"\0" * 200,
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    assert sniff(data) is None
    for read in (decode, head):
        with pytest.raises(EngineRefusal) as refusal:
            read(data)

        assert refusal.value.failure == "caller_fault"
        assert refusal.value.param == "image"


@pytest.mark.parametrize("read", [decode, head])
@pytest.mark.parametrize(
    "size", [(8001, 8000), (11_000, 11_000), (65_000, 65_000), (2_000_000_000, 2)]
)
def test_a_bomb_is_refused_before_it_is_unpacked(
    read: Callable[[bytes], object], size: tuple[int, int]
) -> None:
    with pytest.raises(EngineRefusal, match="more than 64,000,000 pixels") as refusal:
        read(png_header(*size))

    assert refusal.value.param == "image"


def test_the_limit_of_pixels_is_held() -> None:
    assert decode(encoded("PNG"), max_pixels=1200).image.size == (40, 30)
    with pytest.raises(EngineRefusal, match="1,199 pixels"):
        decode(encoded("PNG"), max_pixels=1199)


def test_the_limit_of_bytes_is_held() -> None:
    data = encoded("PNG")

    with pytest.raises(EngineRefusal, match="bytes"):
        decode(data, max_bytes=len(data) - 1)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_file_that_is_cut_off_is_refused(kind: str, share: float) -> None:
    noise = Image.effect_noise((64, 64), 90).convert("RGB")
    out = BytesIO()
    noise.save(out, kind)
    data = out.getvalue()

    with pytest.raises(EngineRefusal) as refusal:
        decode(data[: int(len(data) * share)], param="mask")

    assert refusal.value.param == "mask"


@pytest.mark.parametrize("magic", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM"])
def test_rubbish_behind_a_good_beginning_is_refused(magic: bytes) -> None:
    with pytest.raises(EngineRefusal):
        decode(magic + bytes(range(256)) * 8)


def test_the_orientation_of_a_camera_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Turned by a quarter.

    data = encoded("JPEG", exif=exif.tobytes())

    decoded = decode(data)
    assert decoded.image.size == (decoded.width, decoded.height) == (30, 40)
    assert head(data) == Head("image/jpeg", 30, 40)
    assert decode(data, most_side=20).image.size == (15, 20)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP"])
def test_the_head_is_read_without_the_pixels(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("it was unpacked"))

    assert head(encoded(kind)) == Head(f"image/{kind.lower()}", 40, 30)


def test_of_a_moving_picture_the_first_frame_counts() -> None:
    out = BytesIO()
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("blue", "red")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])

    decoded = decode(out.getvalue())

    assert decoded.frames == 2
    assert decoded.image.getpixel((0, 0)) == (0, 0, 255)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_made_smaller(kind: str) -> None:
    decoded = decode(encoded(kind, (3000, 1500)), most_side=1000)

    assert decoded.image.size == (1000, 500)
    assert (decoded.width, decoded.height) == (3000, 1500)


def test_pixels_can_be_limited_too() -> None:
    decoded = decode(encoded("PNG", (6000, 3000)), most_side=8192, most_pixels=8_000_000)

    width, height = decoded.image.size
    assert 7_900_000 < width * height <= 8_000_000
    assert abs(width - 2 * height) <= 2


def test_a_picture_is_as_large_as_it_is_when_nobody_says_otherwise() -> None:
    assert decode(encoded("PNG", (3000, 1500))).image.size == (3000, 1500)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16", "RGBA"])
def test_other_sorts_of_pixels_are_read(mode: str) -> None:
    out = BytesIO()
    Image.new(mode, (8, 8), 1 if mode == "1" else None).save(out, "PNG")

    assert decode(out.getvalue()).image.mode in {"RGB", "RGBA"}


def test_sixteen_bits_a_pixel_are_scaled() -> None:
    out = BytesIO()
    Image.fromarray(np.full((8, 8), 128 * 257, dtype=np.uint16)).save(out, "PNG")

    assert decode(out.getvalue()).image.getpixel((0, 0)) == (128, 128, 128)


def test_transparency_is_kept_and_can_be_laid_on_white() -> None:
    out = BytesIO()
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(out, "PNG")

    decoded = decode(out.getvalue()).image

    assert decoded.mode == "RGBA"
    assert flat(decoded).getpixel((0, 0)) == (255, 255, 255)
