"""What the named operations do to pixels."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from gateway_local.painting import brushes, styles
from gateway_local.painting.chance import Generator, coin
from gateway_local.painting.colours import Rgb, darker, lighter


@dataclass(frozen=True, slots=True)
class Dose:
    """How an operation is to be done: `strength` 1 is ordinary, `turns` are quarters clockwise."""

    strength: float
    colour: Rgb | None
    turns: int


Change = Callable[[Image.Image, Generator, Dose], Image.Image]


def vary(image: Image.Image, chance: Generator) -> Image.Image:
    """Return a gentle variation: a closer crop, other hues, perhaps mirrored."""
    share = float(chance.uniform(0.86, 0.95))
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    left = int(chance.integers(0, image.width - size[0] + 1))
    top = int(chance.integers(0, image.height - size[1] + 1))
    cut = image.crop((left, top, left + size[0], top + size[1]))
    grown = cut.resize(image.size, Image.Resampling.LANCZOS)
    if coin(chance):
        grown = ImageOps.mirror(grown)
    side = 1.0 if coin(chance) else -1.0
    turned = _turn_hue(grown, side * float(chance.uniform(0.02, 0.06)))
    return ImageEnhance.Color(turned).enhance(float(chance.uniform(0.9, 1.15)))


def _turn_hue(image: Image.Image, turns: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    step = round(turns * 256)
    moved = hue.point([(level + step) % 256 for level in range(256)])
    return Image.merge("HSV", (moved, saturation, value)).convert("RGB")


def styled(style: Callable[[Image.Image, Generator], Image.Image]) -> Change:
    """Return the change that `style` makes."""

    def change(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
        return style(image, chance)

    return change


def enhanced(kind: Callable[[Image.Image], ImageEnhance._Enhance], step: float) -> Change:
    """Return a change by one of Pillow's enhancers: 0.3 is 30 % more."""

    def change(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
        return kind(image).enhance(max(0.0, 1 + step * dose.strength))

    return change


def balanced(red: float, blue: float) -> Change:
    """Return a change of the balance between red and blue: 0.1 is 10 % more."""

    def change(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
        factors = np.array((1 + red * dose.strength, 1.0, 1 + blue * dose.strength))
        pixels = np.asarray(image, dtype=np.float32) * factors
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    return change


def ink(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Draw the contours in ink on paper."""
    calm = image.filter(ImageFilter.MedianFilter(3))
    lines = styles.edges_of(calm).point(
        [max(0, min(255, (level - 24) * 4)) for level in range(256)]
    )
    paper = Image.new("RGB", image.size, (250, 248, 242))
    return Image.composite(Image.new("RGB", image.size, (36, 36, 46)), paper, lines)


def grey(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Take all colour away."""
    light = image.convert("L")
    return Image.merge("RGB", (light, light, light))


def invert(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Turn every colour into its opposite."""
    return ImageOps.invert(image)


def tint(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Recolour everything into shades of one colour, or turn the hues when none is named."""
    if dose.colour is None:
        return _turn_hue(image, float(chance.uniform(0.2, 0.8)))
    toned = ImageOps.colorize(
        image.convert("L"), darker(dose.colour, 0.85), lighter(dose.colour, 0.85), mid=dose.colour
    )
    return Image.blend(image, toned, min(1.0, 0.75 * dose.strength))


def blur(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Make everything soft."""
    return image.filter(ImageFilter.GaussianBlur(min(image.size) * 0.01 * dose.strength))


def sharpen(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Make edges crisper."""
    radius = max(1.0, min(image.size) / 400)
    return image.filter(ImageFilter.UnsharpMask(radius, round(160 * dose.strength), 2))


def emboss(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Light the picture as if it were pressed into paper."""
    return image.filter(ImageFilter.EMBOSS)


def vignette(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Darken the corners."""
    return brushes.vignette(image, min(1.0, 0.6 * dose.strength))


def posterize(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Keep few levels of each channel."""
    return ImageOps.posterize(image, 3 if dose.strength <= 1 else 2)


def mirror(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Swap left and right."""
    return ImageOps.mirror(image)


def upend(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Swap top and bottom."""
    return ImageOps.flip(image)


def rotate(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Turn by quarters."""
    turns = (
        Image.Transpose.ROTATE_270,  # Pillow turns counterclockwise.
        Image.Transpose.ROTATE_180,
        Image.Transpose.ROTATE_90,
    )
    return image.transpose(turns[dose.turns - 1])


def crop(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Keep the middle: two thirds of each side, more or less of it by strength."""
    share = 1 - min(0.6, 0.34 * dose.strength)
    width, height = max(1, round(image.width * share)), max(1, round(image.height * share))
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def square(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Keep the middle square."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def night(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Day for night: dark, blue, with what was bright left shining."""
    pixels = np.asarray(ImageEnhance.Color(image).enhance(0.7), dtype=np.float32) / 255
    dark = pixels**1.5 * np.array((0.42, 0.52, 0.82))
    return Image.fromarray(np.clip(dark * 255 + (4, 6, 20), 0, 255).astype(np.uint8))


def sunset(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Lay evening light over the picture: violet above, orange at the middle, warm shadows."""
    top, middle, bottom = (150, 96, 150), (255, 176, 110), (196, 120, 104)
    rows = np.linspace(0, 1, max(2, image.height))[: image.height, None]
    places = (0.0, 0.55, 1.0)
    light = np.concatenate(
        [np.interp(rows, places, [c[i] for c in (top, middle, bottom)]) for i in range(3)], axis=1
    )
    column = Image.fromarray(light.astype(np.uint8)[:, None, :]).resize(image.size)
    lit = ImageChops.multiply(image, column)
    return ImageEnhance.Brightness(ImageEnhance.Color(lit).enhance(1.2)).enhance(1.15)


def solarise(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Invert what is bright."""
    return ImageOps.solarize(image, 128)


def collage(image: Image.Image, chance: Generator, dose: Dose) -> Image.Image:
    """Change nothing: the sources were put side by side when they were read."""
    return image


def side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    """Return all `images` in one, in a grid of cells as large as the first."""
    width, height = images[0].size
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    sheet = Image.new("RGB", (width * columns, height * rows), (255, 255, 255))
    for number, image in enumerate(images):
        cell = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
        sheet.paste(cell, (number % columns * width, number // columns * height))
    return sheet
