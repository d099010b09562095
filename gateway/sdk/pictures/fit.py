"""Sizes: making a picture exactly as large as was asked, or no larger than is wanted."""

from PIL import Image, ImageOps


def cover(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return `image` scaled to cover `width` by `height`, what sticks out cut off evenly."""
    if image.size == (width, height):
        return image
    return ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)


def within(
    size: tuple[int, int], *, most_side: int | None = None, most_pixels: int | None = None
) -> tuple[int, int]:
    """Return the largest size of the same shape, to the pixel, that both limits allow."""
    width, height = size
    scale = 1.0
    if most_side is not None:
        scale = min(scale, most_side / max(size))
    if most_pixels is not None:
        scale = min(scale, (most_pixels / (width * height)) ** 0.5)
    return max(1, round(width * scale)), max(1, round(height * scale))
