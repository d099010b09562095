"""The colours of a picture, in words."""

from collections.abc import Iterator
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image

_NAMES = MappingProxyType(
    {
        "black": (15, 15, 15),
        "dark grey": (70, 70, 70),
        "grey": (128, 128, 128),
        "light grey": (200, 200, 200),
        "white": (255, 255, 255),
        "dark red": (128, 0, 0),
        "red": (220, 20, 30),
        "pink": (255, 170, 190),
        "magenta": (230, 30, 150),
        "dark brown": (70, 40, 20),
        "brown": (125, 75, 40),
        "tan": (205, 165, 120),
        "beige": (240, 225, 195),
        "orange": (250, 145, 20),
        "dark orange": (210, 105, 30),
        "coral": (250, 120, 100),
        "gold": (205, 165, 50),
        "yellow": (250, 225, 40),
        "pale yellow": (253, 245, 165),
        "olive": (115, 115, 40),
        "lime green": (150, 220, 40),
        "green": (30, 150, 50),
        "dark green": (10, 75, 30),
        "pale green": (170, 225, 170),
        "teal": (15, 128, 128),
        "turquoise": (60, 205, 195),
        "cyan": (20, 235, 250),
        "pale blue": (205, 216, 250),
        "light blue": (150, 205, 240),
        "grey blue": (85, 130, 175),
        "blue": (30, 90, 220),
        "dark blue": (15, 25, 100),
        "lavender": (190, 170, 230),
        "purple": (125, 50, 165),
        "dark purple": (60, 20, 85),
    }
)
_SAMPLE = 96
_MOST = 6
_LEAST_SHARE = 0.01

_Numbers = npt.NDArray[np.float64]


def colours_of(picture: Image.Image) -> list[tuple[str, float]]:
    """Return at most six names with their shares of the visible area, the largest first.

    Shares run from 0 to 1; those under 1 % are left out, mostly the soft edges of others.
    """
    # The nearest pixels, not means of them: thin black letters on white hold no grey.
    small = picture.convert("RGBA").resize((_SAMPLE, _SAMPLE), Image.Resampling.NEAREST)
    pixels = np.asarray(small, dtype=np.float64).reshape(-1, 4)
    visible = pixels[pixels[:, 3] >= 128][:, :3]  # noqa: PLR2004 - half of what a byte can be
    if not len(visible):
        return []
    names = tuple(_NAMES)
    known = _perceived(np.array([_NAMES[name] for name in names], dtype=np.float64))
    apart = np.square(_perceived(visible)[:, None, :] - known[None, :, :]).sum(axis=2)
    counts = np.bincount(apart.argmin(axis=1), minlength=len(names))
    return list(_largest(names, counts / len(visible)))


def _largest(names: tuple[str, ...], shares: _Numbers) -> Iterator[tuple[str, float]]:
    for position in np.argsort(-shares, kind="stable")[:_MOST]:
        if shares[position] >= _LEAST_SHARE:
            yield names[position], round(float(shares[position]), 2)


def _perceived(rgb: _Numbers) -> _Numbers:
    """Return Oklab coordinates of sRGB bytes, in which distances are about what an eye sees.

    Björn Ottosson, "A perceptual color space for image processing", 2020. Here hue counts twice as
    much as lightness: a dark red is named after the red.
    """
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004
    cones = np.cbrt(linear @ _TO_CONES.T)
    lab: _Numbers = cones @ _TO_LAB.T
    return lab


_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
) * np.array([[1.0], [2.0], [2.0]])
