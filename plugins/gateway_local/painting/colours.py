"""Colours: their names in prompts, and the little arithmetic that painting needs."""

import colorsys
from collections.abc import Mapping
from types import MappingProxyType

Rgb = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

NAMED: Mapping[str, Rgb] = MappingProxyType(
    {
        "red": (200, 44, 42),
        "crimson": (176, 24, 52),
        "scarlet": (222, 48, 32),
        "maroon": (118, 28, 38),
        "orange": (238, 132, 40),
        "amber": (244, 170, 40),
        "yellow": (248, 208, 62),
        "golden": (232, 182, 64),
        "gold": (232, 182, 64),
        "lime": (158, 210, 60),
        "green": (72, 150, 76),
        "emerald": (24, 142, 96),
        "olive": (122, 124, 58),
        "teal": (24, 136, 140),
        "turquoise": (52, 190, 184),
        "cyan": (62, 204, 224),
        "blue": (48, 98, 190),
        "navy": (28, 44, 98),
        "azure": (70, 146, 222),
        "indigo": (72, 58, 150),
        "purple": (126, 66, 160),
        "violet": (142, 84, 190),
        "lavender": (186, 166, 222),
        "magenta": (214, 46, 150),
        "pink": (240, 140, 172),
        "rose": (226, 100, 124),
        "brown": (126, 84, 54),
        "chestnut": (134, 72, 46),
        "tan": (206, 172, 126),
        "beige": (226, 210, 180),
        "cream": (246, 236, 208),
        "white": (244, 244, 240),
        "ivory": (244, 238, 220),
        "silver": (190, 196, 204),
        "gray": (132, 136, 142),
        "grey": (132, 136, 142),
        "black": (36, 36, 42),
        "ginger": (222, 134, 62),
        "blonde": (228, 196, 122),
        "copper": (186, 110, 64),
        "coral": (244, 124, 100),
        "peach": (250, 190, 150),
        "mint": (160, 222, 190),
    }
)
"""The colour adjectives that a prompt may use."""


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """Return the colour `share` of the way from `one` (0) to `other` (1)."""
    return (
        round(one[0] + (other[0] - one[0]) * share),
        round(one[1] + (other[1] - one[1]) * share),
        round(one[2] + (other[2] - one[2]) * share),
    )


def lighter(colour: Rgb, share: float) -> Rgb:
    """Return `colour` moved towards white."""
    return mix(colour, (255, 252, 244), share)


def darker(colour: Rgb, share: float) -> Rgb:
    """Return `colour` moved towards a blue black, as shade is."""
    return mix(colour, (14, 14, 28), share)


def times(colour: Rgb, factors: tuple[float, float, float]) -> Rgb:
    """Return `colour` as it looks in light of these `factors`, each channel held to 255."""
    red, green, blue = (min(255, round(c * f)) for c, f in zip(colour, factors, strict=True))
    return (red, green, blue)


def luma(colour: Rgb) -> float:
    """Return how bright `colour` looks, 0 to 255 (ITU-R BT.601)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def from_hue(hue: float, saturation: float, value: float) -> Rgb:
    """Return the colour at `hue` (turns, wraps around), with the others from 0 to 1."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return (round(red * 255), round(green * 255), round(blue * 255))


def hue_of(colour: Rgb) -> float:
    """Return the hue of `colour` in turns; greys have 0."""
    return colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))[0]
