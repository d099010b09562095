"""The mark in the lower right corner: small, and legible on light and on dark."""

import math
import unicodedata

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from gateway.pictures.fonts import Fonts, Run

MOST_CHARACTERS = 64
HEIGHT_SHARE = 0.03
"""The most of a picture's height that the mark takes, its outline included."""

_WIDTH_SHARE = 0.94
_GROWN = 4  # It is drawn this much larger and reduced, so that small marks stay clean.
_REFERENCE = 100  # Pixels to the em, for measuring.
_OUTLINE = 0.075  # Of an em.
_FILL = (255, 255, 255)
_EDGE = (16, 18, 24)


def watermark(image: Image.Image, text: str, fonts: Fonts) -> Image.Image:
    """Return `image` with `text` (cut at 64 characters) in its lower right corner.

    White letters in a dark outline on a faint shadow, at most 3 % of the height and as wide as the
    picture allows. Text that is blank marks nothing.
    """
    runs = fonts.runs(" ".join(text[:MOST_CHARACTERS].split()))
    if not runs:
        return image
    ordered = _in_view(runs)
    wide, high = _measured(ordered, fonts)
    limit_high = image.height * HEIGHT_SHARE
    size = _REFERENCE * min(limit_high / high, image.width * _WIDTH_SHARE / wide)
    mark = _drawn(ordered, fonts, size * _GROWN)
    target = (
        max(1, math.floor(mark.width / _GROWN)),
        max(1, min(math.floor(mark.height / _GROWN), math.floor(limit_high) or 1)),
    )
    mark = mark.resize(target, Image.Resampling.LANCZOS)
    margin = max(1, round(min(image.size) * 0.012))
    place = (image.width - target[0] - margin, image.height - target[1] - margin)
    out = image.copy()
    out.paste(mark.convert("RGB"), (max(0, place[0]), max(0, place[1])), mark.getchannel("A"))
    return out


def _in_view(runs: list[Run]) -> list[Run]:
    """Return `runs` in the order in which they stand from left to right."""
    strong = (unicodedata.bidirectional(c) for run in runs for c in run.text)
    first = next((kind for kind in strong if kind in {"L", "R", "AL"}), "L")
    return runs if first == "L" else runs[::-1]


def _measured(runs: list[Run], fonts: Fonts) -> tuple[float, float]:
    """Return the width and height of the mark at `_REFERENCE` pixels to the em."""
    loaded = [(run, fonts.font(run.face, _REFERENCE)) for run in runs]
    edge = _OUTLINE * _REFERENCE
    tops, bottoms = zip(*(_reach(font, run.text) for run, font in loaded), strict=True)
    high = max(max(bottoms) - min(tops), 0.72 * _REFERENCE)
    wide = sum(font.getlength(run.text) for run, font in loaded)
    return wide + 4 * edge, high + 2 * edge


def _reach(font: ImageFont.FreeTypeFont, text: str) -> tuple[float, float]:
    box = font.getbbox(text, anchor="ls")
    return box[1], box[3]


def _drawn(runs: list[Run], fonts: Fonts, size: float) -> Image.Image:
    loaded = [(run, fonts.font(run.face, max(1.0, size))) for run in runs]
    edge = max(1, round(_OUTLINE * size))
    reaches = [_reach(font, run.text) for run, font in loaded]
    top = min(reach[0] for reach in reaches) - edge
    high = max(reach[1] for reach in reaches) + edge - top
    wide = sum(font.getlength(run.text) for run, font in loaded) + 4 * edge
    extent = (math.ceil(wide), math.ceil(high))
    letters, outline = Image.new("L", extent, 0), Image.new("L", extent, 0)
    x = 2.0 * edge
    for run, font in loaded:
        at = (x, -top)
        ImageDraw.Draw(outline).text(
            at, run.text, fill=255, font=font, anchor="ls", stroke_width=edge
        )
        ImageDraw.Draw(letters).text(at, run.text, fill=255, font=font, anchor="ls")
        x += font.getlength(run.text)
    shadow = outline.filter(ImageFilter.GaussianBlur(edge)).point(
        [level // 2 for level in range(256)]
    )
    alpha = Image.new("L", extent, 0)
    for layer in (shadow, outline):
        alpha.paste(255, mask=layer)
    mark = Image.new("RGB", extent, _EDGE)
    mark.paste(_FILL, mask=letters)
    mark.putalpha(alpha)
    return mark
