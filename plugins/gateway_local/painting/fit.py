"""Sizes: making a picture exactly as large as was asked."""

from PIL import Image, ImageOps

MOST = 2048
"""The longest side, in pixels, that the painter works on."""


def cover(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return `image` scaled to cover `width` by `height`, what sticks out cut off evenly."""
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def contain(image: Image.Image, most: int = MOST) -> Image.Image:
    """Return `image` with no side longer than `most`, its shape kept."""
    longest = max(image.size)
    if longest <= most:
        return image
    size = (
        max(1, round(image.width * most / longest)),
        max(1, round(image.height * most / longest)),
    )
    return image.resize(size, Image.Resampling.LANCZOS)
