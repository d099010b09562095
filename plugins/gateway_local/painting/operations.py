"""What can be done to a caller's picture: named operations, found in the prompt by their words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import ImageEnhance

from gateway_local.painting import brushes, changes, styles
from gateway_local.painting.changes import Change, Dose
from gateway_local.painting.colours import NAMED

_TOKEN = re.compile(r"[a-z]+|\d+")

_LONGEST_PHRASE = 4

_MOST_WORDS = 200

_LITTLE = frozenset({"slightly", "little", "bit", "subtle", "subtly", "lightly"})

_MUCH = frozenset({"very", "much", "strong", "strongly", "heavily", "lot", "extremely", "heavy"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One named change: `is_shape` ones move pixels about and come before resizing.

    The words of `is_scenic` ones also say how a scene is to be drawn.
    """

    name: str
    words: tuple[str, ...]
    change: Change
    is_shape: bool = False
    is_scenic: bool = False


def find(prompt: str) -> tuple[list[Operation], Dose]:
    """Return the operations that `prompt` asks for, in its order, and how to do them."""
    tokens = _TOKEN.findall(prompt.lower())[:_MOST_WORDS]
    index = {word: operation for operation in OPERATIONS for word in operation.words}
    found: list[Operation] = []
    at = 0
    while at < len(tokens):
        for length in range(min(_LONGEST_PHRASE, len(tokens) - at), 0, -1):
            operation = index.get(" ".join(tokens[at : at + length]))
            if operation is not None:
                found.append(operation)
                at += length
                break
        else:
            at += 1
    colour = next((NAMED[token] for token in tokens if token in NAMED), None)
    if colour is not None and not found and _RECOLOUR & set(tokens):
        found = [operation for operation in OPERATIONS if operation.name == "tint"]
    if colour is None:
        found = [operation for operation in found if operation.name != "tint"] or found
    unique = list(dict.fromkeys(found))
    return unique, Dose(_strength(tokens), colour, _turns(tokens))


def names() -> str:
    """Return the names of all operations, as a sentence's list."""
    return ", ".join([*(operation.name for operation in OPERATIONS), REMOVE])


def asks_to_remove(prompt: str) -> bool:
    """Return whether `prompt` wants something gone: a matter for the mask."""
    return bool(_REMOVING & set(_TOKEN.findall(prompt.lower())[:_MOST_WORDS]))


def _strength(tokens: Sequence[str]) -> float:
    if _LITTLE & set(tokens):
        return 0.5
    return 1.7 if _MUCH & set(tokens) else 1.0


def _turns(tokens: Sequence[str]) -> int:
    if "180" in tokens:
        return 2
    return 3 if "270" in tokens or "left" in tokens or "counterclockwise" in tokens else 1


def _rows(rows: Mapping[str, tuple[str, Change]], **kind: bool) -> tuple[Operation, ...]:
    return tuple(
        Operation(name, tuple(word.strip() for word in text.split(",")), change, **kind)
        for name, (text, change) in rows.items()
    )


REMOVE = "remove (within a mask)"

_REMOVING = frozenset({"remove", "erase", "delete", "inpaint", "heal", "fill", "clean"})

_RECOLOUR = frozenset(
    {"make", "turn", "tint", "colour", "color", "recolour", "recolor", "hue", "tone", "into"}
)

OPERATIONS: tuple[Operation, ...] = (
    *_rows(
        {
            "sketch": (
                "sketch, pencil, pencil sketch, pencil drawing, charcoal, sketched",
                changes.styled(brushes.sketch),
            ),
            "line drawing": (
                "line drawing, line art, ink, ink drawing, drawing, outline",
                changes.ink,
            ),
            "watercolour": (
                "watercolour, watercolor, water colour, water color, aquarelle",
                changes.styled(brushes.watercolour),
            ),
            "painting": (
                "painting, oil painting, oil, painted, painterly, impressionist, van gogh, monet",
                changes.styled(brushes.painting),
            ),
            "pixelate": (
                "pixel, pixel art, pixelate, pixelated, pixelart, 8 bit",
                changes.styled(styles.pixelate),
            ),
            "mosaic": ("mosaic, tiles, stained glass", changes.styled(styles.mosaic)),
            "cartoon": ("cartoon, comic, anime, toon, cartoonish", changes.styled(styles.cartoon)),
            "low poly": (
                "low poly, lowpoly, polygonal, geometric",
                changes.styled(styles.low_poly),
            ),
            "pastel": ("pastel, chalk", changes.styled(brushes.pastel)),
            "poster": ("poster, pop art, flat design", changes.styled(styles.poster)),
            "neon": ("neon, cyberpunk, synthwave", changes.styled(styles.neon)),
            "vintage": (
                "vintage, retro, old photo, old photograph, faded, nostalgic",
                changes.styled(styles.vintage),
            ),
            "night": ("night, midnight, at night, nighttime, moonlight", changes.night),
            "sunset": ("sunset, at sunset, golden hour, dusk, evening", changes.sunset),
        },
        is_scenic=True,
    ),
    *_rows(
        {
            "sepia": ("sepia, brown tone", changes.styled(styles.sepia)),
            "black and white": (
                "black and white, b w, grayscale, greyscale, monochrome, grey scale, gray scale",
                changes.grey,
            ),
            "invert": ("invert, inverted, negative, invert colors, invert colours", changes.invert),
            "tint": ("tint, hue, recolor, recolour, colorize, colourize, hue shift", changes.tint),
            "warmer": ("warm, warmer", changes.balanced(0.14, -0.16)),
            "cooler": ("cool, cooler, cold, colder", changes.balanced(-0.14, 0.16)),
            "brighten": (
                "bright, brighten, brighter, lighten, lighter",
                changes.enhanced(ImageEnhance.Brightness, 0.35),
            ),
            "darken": ("dark, darken, darker", changes.enhanced(ImageEnhance.Brightness, -0.35)),
            "less contrast": (
                "less contrast, lower contrast, reduce contrast, low contrast",
                changes.enhanced(ImageEnhance.Contrast, -0.4),
            ),
            "contrast": (
                "contrast, more contrast, high contrast, increase contrast, dramatic",
                changes.enhanced(ImageEnhance.Contrast, 0.5),
            ),
            "desaturate": (
                "desaturate, desaturated, muted, less colour, less color, less saturation",
                changes.enhanced(ImageEnhance.Color, -0.55),
            ),
            "saturate": (
                "saturate, saturated, vivid, vibrant, more colour, more color, colorful, colourful",
                changes.enhanced(ImageEnhance.Color, 0.7),
            ),
            "blur": ("blur, blurry, blurred, soften, out of focus", changes.blur),
            "sharpen": ("sharpen, sharp, sharper, crisp, sharpened", changes.sharpen),
            "posterize": ("posterize, posterise, posterized", changes.posterize),
            "solarize": ("solarize, solarise", changes.solarise),
            "emboss": ("emboss, embossed, relief", changes.emboss),
            "edges": (
                "edges, edge detection, find edges, glowing edges",
                changes.styled(styles.edges),
            ),
            "vignette": ("vignette, dark corners", changes.vignette),
        }
    ),
    *_rows(
        {
            "mirror": ("mirror, mirrored, flip, flip horizontally, flipped", changes.mirror),
            "upside down": ("upside down, flip vertically, flip vertical", changes.upend),
            "rotate": ("rotate, rotated, turn left, turn right", changes.rotate),
            "crop": ("crop, zoom, zoom in, closer, close up, cropped", changes.crop),
            "square": ("square, crop square, crop to square", changes.square),
            "collage": ("collage, side by side, combine, merge", changes.collage),
        },
        is_shape=True,
    ),
)
"""All operations; longer phrases win over shorter ones."""
