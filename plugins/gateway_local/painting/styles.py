"""Styles: what is done to a finished picture so that it looks made in another way."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from gateway_local.painting import noise
from gateway_local.painting.brushes import (
    blurred,
    from_array,
    oil,
    painting,
    pastel,
    sketch,
    vignette,
    watercolour,
)
from gateway_local.painting.chance import Generator

_MEDIAN_SIDE, _MODE_SIDE = 1100, 520  # Larger pictures would take too long in these filters.
_Style = Callable[[Image.Image, Generator], Image.Image]


def stylise(image: Image.Image, style: str | None, chance: Generator) -> Image.Image:
    """Return `image` (RGB) in `style`, a key of `STYLES`; None is the painter's own."""
    if style is None:
        return vignette(image, 0.2)
    return STYLES[style](image, chance)


def pixelate(image: Image.Image, chance: Generator) -> Image.Image:
    """Large square pixels in 28 colours."""
    unit = min(image.size)
    step = max(2, round(unit / 96))
    small = (max(1, round(image.width / step)), max(1, round(image.height / step)))
    reduced = ImageEnhance.Color(image.resize(small, Image.Resampling.BOX)).enhance(1.2)
    few = reduced.quantize(28, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return few.convert("RGB").resize(image.size, Image.Resampling.NEAREST)


def neon(image: Image.Image, chance: Generator) -> Image.Image:
    """Bright things bloom, edges glow, the rest sinks into violet."""
    unit = min(image.size)
    rich = ImageEnhance.Color(image).enhance(1.5)
    edges = ImageOps.autocontrast(edges_of(image), cutoff=1)
    glow = ImageChops.multiply(
        ImageEnhance.Brightness(rich).enhance(2.2), Image.merge("RGB", (edges,) * 3)
    )
    dark = ImageEnhance.Brightness(rich).enhance(0.82)
    bloom = blurred(glow, unit * 0.012)
    lit = ImageChops.screen(dark, ImageEnhance.Brightness(glow).enhance(0.6))
    lit = ImageChops.screen(lit, ImageEnhance.Brightness(bloom).enhance(1.1))
    bright = rich.point([max(0, level - 150) * 2 for level in range(256)] * 3)
    return vignette(ImageChops.screen(lit, blurred(bright, unit * 0.02)), 0.25)


def edges_of(image: Image.Image) -> Image.Image:
    """Return how steep the picture is at each pixel, as an image of one channel."""
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    down[1:-1] = grey[2:] - grey[:-2]
    return Image.fromarray(np.clip(np.hypot(across, down) * 1.6, 0, 255).astype(np.uint8))


def edges(image: Image.Image, chance: Generator) -> Image.Image:
    """Only the edges, in the picture's own colours, on black."""
    lines = Image.merge("RGB", (edges_of(image),) * 3)
    rich = ImageEnhance.Brightness(ImageEnhance.Color(image).enhance(1.6)).enhance(1.9)
    lit = ImageChops.multiply(rich, ImageOps.autocontrast(lines, cutoff=1))
    return ImageChops.screen(lit, blurred(lit, min(image.size) * 0.008))


def line(image: Image.Image, chance: Generator) -> Image.Image:
    """Ink on paper: the canvas drew lines already; the paper gets its fibres."""
    width, height = image.size
    fibre = noise.clouds(chance, width, height, cell=(6, 6), octaves=2)[:, :, None]
    return from_array(np.asarray(image, dtype=np.float32) - (fibre - 0.3) * 8)


def low_poly(image: Image.Image, chance: Generator) -> Image.Image:
    """Triangles over a shaken grid, each in the colour of its middle."""
    width, height = image.size
    step = min(width, height) / 42
    columns, rows = round(width / step) + 1, round(height / step) + 1
    x, y = np.meshgrid(np.linspace(0, width, columns), np.linspace(0, height, rows))
    shake = chance.uniform(-0.36, 0.36, (2, rows, columns)) * step
    shake[0][:, [0, -1]] = 0
    shake[1][[0, -1]] = 0
    points = np.stack([x + shake[0], y + shake[1]], axis=2)
    corners = (points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1])
    split = chance.integers(0, 2, (rows - 1, columns - 1)) == 0
    a, b, c, d = (corner.reshape(-1, 2) for corner in corners)
    flip = split.reshape(-1, 1)
    triangles = np.concatenate(
        [
            np.stack([a, b, np.where(flip, c, d)], axis=1),
            np.stack([np.where(flip, a, b), c, d], axis=1),
        ]
    )
    soft = np.asarray(image.filter(ImageFilter.BoxBlur(max(1, step / 6))))
    middle = triangles.mean(axis=1)
    px = np.clip(middle[:, 0], 0, width - 1).astype(int)
    py = np.clip(middle[:, 1], 0, height - 1).astype(int)
    tones = soft[py, px].astype(int) + chance.integers(-9, 10, (len(px), 1))
    out = image.copy()
    pen = ImageDraw.Draw(out)
    for triangle, tone in zip(
        triangles.reshape(-1, 6).tolist(), np.clip(tones, 0, 255).tolist(), strict=True
    ):
        pen.polygon(triangle, fill=tuple(tone), outline=tuple(tone))
    return ImageEnhance.Color(out).enhance(1.15)


def poster(image: Image.Image, chance: Generator) -> Image.Image:
    """A few flat inks with clean edges."""
    calm = image.filter(ImageFilter.MedianFilter(5)) if min(image.size) < _MEDIAN_SIDE else image
    calm = ImageEnhance.Contrast(ImageEnhance.Color(calm).enhance(1.35)).enhance(1.1)
    palette = calm.resize((96, 96)).quantize(11, method=Image.Quantize.MEDIANCUT)
    flat = calm.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
    return flat.filter(ImageFilter.ModeFilter(3)) if min(image.size) < _MODE_SIDE else flat


def mono(image: Image.Image, chance: Generator) -> Image.Image:
    """Black and white, with a full range of greys."""
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=0.5)
    return vignette(Image.merge("RGB", (grey, grey, grey)), 0.28)


def sepia(image: Image.Image, chance: Generator) -> Image.Image:
    """Brown as old prints are."""
    return ImageOps.colorize(image.convert("L"), (38, 22, 12), (255, 240, 208), mid=(160, 120, 78))


def vintage(image: Image.Image, chance: Generator) -> Image.Image:
    """A faded print: warm, with grain, lifted blacks and dark corners."""
    faded = Image.blend(ImageEnhance.Color(image).enhance(0.62), sepia(image, chance), 0.42)
    pixels = np.asarray(faded, dtype=np.float32) * 0.84 + 30
    grain = chance.normal(0, 7, (*pixels.shape[:2], 1))
    pixels = pixels * np.array((1.04, 1.0, 0.9)) + grain
    return vignette(from_array(pixels), 0.45)


def cartoon(image: Image.Image, chance: Generator) -> Image.Image:
    """Flat colours within dark outlines."""
    calm = oil(image, chance)
    pixels = np.asarray(calm, dtype=np.float32)
    light = pixels.mean(axis=2, keepdims=True) + 1
    level = np.round(light / 30) * 30
    flat = ImageEnhance.Color(from_array(pixels * (0.25 + 0.75 * level / light))).enhance(1.4)
    lines = edges_of(calm).point([max(0, min(255, (level - 40) * 5)) for level in range(256)])
    return Image.composite(Image.new("RGB", image.size, (44, 34, 46)), flat, lines)


def mosaic(image: Image.Image, chance: Generator) -> Image.Image:
    """Small tiles with grout between them."""
    width, height = image.size
    step = max(4, round(min(width, height) / 58))
    columns, rows = -(-width // step), -(-height // step)
    tones = np.asarray(image.resize((columns, rows), Image.Resampling.BOX), dtype=np.float32)
    shaken = tones + chance.normal(0, 9, (rows, columns, 1))
    tiles = np.repeat(np.repeat(shaken, step, axis=0), step, axis=1)[:height, :width]
    x, y = np.arange(width)[None, :] % step, np.arange(height)[:, None] % step
    bevel = np.where((x <= 1) | (y <= 1), 18, 0) - np.where(
        (x >= step - 2) | (y >= step - 2), 22, 0
    )
    raised = tiles + bevel[:, :, None]
    grout = ((x == 0) | (y == 0))[:, :, None]
    return from_array(np.where(grout, np.array((70, 66, 64)), raised))


STYLES: Mapping[str, _Style] = MappingProxyType(
    {
        "watercolour": watercolour,
        "oil": painting,
        "pixel": pixelate,
        "neon": neon,
        "line": line,
        "sketch": sketch,
        "lowpoly": low_poly,
        "poster": poster,
        "pastel": pastel,
        "mono": mono,
        "vintage": vintage,
        "cartoon": cartoon,
        "mosaic": mosaic,
    }
)
"""The styles that a prompt can name, by the keys of `words.STYLES`."""
