"""Styles that paint: watercolour, oil, pastel and pencil."""

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from gateway_local.painting import noise
from gateway_local.painting.chance import Generator
from gateway_local.painting.noise import Floats


def vignette(image: Image.Image, strength: float) -> Image.Image:
    """Darken the corners by up to `strength` (0 to 1)."""
    rows, columns = 48, 48
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    fall = 1 - strength * np.clip((x**2 + y**2) / 2, 0, 1) ** 1.5
    mask = Image.fromarray((fall * 255).astype(np.uint8)).resize(
        image.size, Image.Resampling.BICUBIC
    )
    return ImageChops.multiply(image, Image.merge("RGB", (mask, mask, mask)))


def watercolour(image: Image.Image, chance: Generator) -> Image.Image:
    """Washes that bleed, pigment that gathers at their edges, and white paper around."""
    unit = min(image.size)
    flat = oil(_wandered(image, chance, unit * 0.004), chance)
    flat = ImageEnhance.Brightness(ImageEnhance.Color(flat).enhance(1.15)).enhance(1.12)
    edges = flat.convert("L").filter(ImageFilter.FIND_EDGES).filter(ImageFilter.GaussianBlur(1.2))
    pixels = np.asarray(flat, dtype=np.float32)
    lines = np.asarray(edges, dtype=np.float32)[:, :, None]
    width, height = image.size
    wash = noise.clouds(
        chance, width, height, cell=(unit * 0.2, unit * 0.2), octaves=4, rough=0.55
    )[:, :, None]
    grain = chance.random((height, width, 1), dtype=np.float32)
    pixels = 255 - (255 - pixels) * (0.84 + 0.24 * wash) - np.clip(lines, 0, 70) * 0.5
    pixels += (grain - 0.5) * 9 * (1.4 - pixels / 255)
    paper = np.array((252, 249, 241), dtype=np.float32)
    rim = _rim(width, height, noise.clouds(chance, width, height, cell=(unit * 0.12, unit * 0.12)))
    return from_array(paper + (pixels - paper) * rim[:, :, None])


def _rim(width: int, height: int, wander: Floats) -> Floats:
    """Return how much is painted: 1 inside, 0 along a ragged edge of paper."""
    unit = min(width, height)
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    away = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    edge = unit * (0.012 + 0.026 * wander)
    return noise.ease(away - edge, 0.0, max(1.5, unit * 0.006))


def _wandered(image: Image.Image, chance: Generator, reach: float) -> Image.Image:
    """Move every pixel a little, neighbours alike."""
    width, height = image.size
    cell = (max(4.0, reach * 3), max(4.0, reach * 3))
    across = (noise.clouds(chance, width, height, cell=cell, octaves=2) - 0.5) * 2 * reach
    down = (noise.clouds(chance, width, height, cell=cell, octaves=2) - 0.5) * 2 * reach
    x = np.clip(np.arange(width)[None, :] + across, 0, width - 1).astype(np.intp)
    y = np.clip(np.arange(height)[:, None] + down, 0, height - 1).astype(np.intp)
    return Image.fromarray(np.asarray(image)[y, x])


def oil(image: Image.Image, chance: Generator) -> Image.Image:
    """Kuwahara's filter: each pixel takes the mean of its calmest quarter, as a brush would."""
    reach = max(1, round(min(image.size) / 190))
    mean = np.asarray(image.filter(ImageFilter.BoxBlur(reach)), dtype=np.float32)
    grey = image.convert("L")
    light = np.asarray(grey, dtype=np.float32)
    blurred = np.asarray(_soft(light, reach))
    spread = np.asarray(_soft(light * light, reach)) - blurred * blurred
    quarters = [(dy * reach, dx * reach) for dy in (-1, 1) for dx in (-1, 1)]
    best = np.full(light.shape, np.inf, dtype=np.float32)
    out = mean.copy()
    for dy, dx in quarters:
        calm = _shifted(spread, dy, dx)
        better = calm < best
        best = np.where(better, calm, best)
        np.copyto(out, _shifted(mean, dy, dx), where=better[:, :, None])
    return from_array(out)


def _shifted(values: Floats, down: int, across: int) -> Floats:
    """Return `values` moved by a few places; what was at the edge is repeated there."""
    height, width = values.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - across, 0, width - 1)
    return np.take(np.take(values, rows, axis=0), columns, axis=1)


def painting(image: Image.Image, chance: Generator) -> Image.Image:
    """Oil on canvas: brushed, richer in colour, with ridges of paint."""
    width, height = image.size
    unit = min(width, height)
    brushed = oil(_wandered(image, chance, unit * 0.004), chance)
    brushed = ImageEnhance.Color(brushed).enhance(1.22)
    strokes = noise.clouds(
        chance, width, height, cell=(unit * 0.022, unit * 0.012), octaves=2, rough=0.6
    )
    relief = np.clip((strokes - _shifted(strokes, 1, 1)) * unit * 0.12, -1, 1)
    pixels = np.asarray(brushed, dtype=np.float32) + relief[:, :, None] * 6
    return vignette(from_array(pixels), 0.16)


def sketch(image: Image.Image, chance: Generator) -> Image.Image:
    """Pencil: dodged contours, hatching where it is dark, and the grain of paper."""
    width, height = image.size
    unit = min(width, height)
    grey = image.convert("L")
    light = np.asarray(grey, dtype=np.float32)
    soft = np.asarray(blurred(ImageOps.invert(grey), max(1.0, unit * 0.006)), dtype=np.float32)
    dodged = np.clip(light * 255 / np.maximum(256 - soft, 1), 0, 255)
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    step = max(3.0, unit / 150)
    wander = noise.clouds(chance, width, height, cell=(unit * 0.06, unit * 0.06)) * step * 2
    hatch = np.sin((x + y + wander) * 2 * np.pi / step) * 0.5 + 0.5
    cross = np.sin((x - y + wander) * 2 * np.pi / step) * 0.5 + 0.5
    shade = np.clip((216 - light) / 170, 0, 1) * hatch + np.clip((84 - light) / 90, 0, 1) * cross
    grain = chance.random((height, width), dtype=np.float32)
    tone = dodged - 96 * shade * (0.65 + 0.5 * grain) - 60 * np.clip((240 - light) / 240, 0, 1)
    tone = np.clip(tone, 34, 250) / 250
    paper, lead = (
        np.array((249, 246, 238), dtype=np.float32),
        np.array((46, 46, 54), dtype=np.float32),
    )
    return from_array(lead + (paper - lead) * tone[:, :, None])


def pastel(image: Image.Image, chance: Generator) -> Image.Image:
    """Chalk: pale, soft, with the tooth of the paper showing."""
    width, height = image.size
    unit = min(width, height)
    soft = np.asarray(ImageEnhance.Color(oil(image, chance)).enhance(0.85), dtype=np.float32)
    pale = 255 - (255 - soft) * 0.68
    tooth = chance.random((height, width, 1), dtype=np.float32)
    drag = noise.clouds(chance, width, height, cell=(unit * 0.012, unit * 0.004), octaves=2)
    bare = np.clip(tooth * 0.4 + drag[:, :, None] * 0.6 - 0.58, 0, 1) * 0.7
    paper = np.array((250, 244, 236), dtype=np.float32)
    return from_array(pale + (paper - pale) * bare)


def _soft(values: Floats, reach: int) -> Image.Image:
    """Return the mean over a square around each value, as an image of floats."""
    size = 2 * reach + 1
    padded = np.pad(values, reach + 1, mode="edge").astype(np.float64)
    total = padded.cumsum(axis=0).cumsum(axis=1)
    height, width = values.shape
    mean = (
        total[size : size + height, size : size + width]
        - total[:height, size : size + width]
        - total[size : size + height, :width]
        + total[:height, :width]
    ) / size**2
    return Image.fromarray(mean.astype(np.float32))


def blurred(image: Image.Image, radius: float) -> Image.Image:
    """Return `image` blurred by `radius` pixels."""
    return image.filter(ImageFilter.GaussianBlur(radius))


def from_array(pixels: Floats) -> Image.Image:
    """Return rows of colours as a picture, held to 0 to 255."""
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
