"""What is known of image models by their names, as rows of data.

Source: OpenAI's API reference, Images, as in its Python library 3.54 (November 2026); for DALL·E,
which OpenAI has retired and others still serve, the same of 2025.
"""

import math
import re
from typing import NamedTuple

_WIDE_AND_TALL = ((1024, 1024), (1536, 1024), (1024, 1536))
_LEAST_PIXELS = 1024 * 1024
_MOST_PIXELS = 2560 * 1440  # Above it OpenAI calls sizes experimental.
_LONGEST_SHAPE = 3.0


class Painter(NamedTuple):
    """One family of models; `name` is looked for in the upstream's name of the model.

    `sizes` are the only ones it takes, none means any; with `step` also others whose sides are its
    multiples. `most` pictures come of one call, `sources` is how many an edit may have (0: it edits
    none). `names_format` is whether it wants `output_format`, and no `response_format`.
    `has_variations` is whether they have an endpoint of their own; a prompt asks for them else.
    """

    name: str
    sizes: tuple[tuple[int, int], ...] = ()
    step: int | None = None
    most: int = 10
    sources: int = 16
    names_format: bool = False
    has_variations: bool = True


_GPT = Painter("", _WIDE_AND_TALL, names_format=True, has_variations=False)
PAINTERS = (
    _GPT._replace(name=r"(^|/)(gpt-image-1(\D|$)|chatgpt-image)"),
    _GPT._replace(name=r"(^|/)gpt-image", step=16),
    Painter(r"(^|/)dall-e-2", ((256, 256), (512, 512), (1024, 1024)), sources=1),
    Painter(r"(^|/)dall-e-3", ((1024, 1024), (1792, 1024), (1024, 1792)), most=1, sources=0),
    Painter(""),
)
"""The first row whose name is found counts."""


def painter_of(model: str) -> Painter:
    """Return the row of a model; any that is not known has the last one's."""
    return next(row for row in PAINTERS if re.search(row.name, model, re.IGNORECASE))


def size_for(painter: Painter, width: int, height: int) -> tuple[int, int]:
    """Return the size to ask for: the nearest in shape, of those the least that is large enough."""
    if not painter.sizes or _fits(painter, width, height):
        return width, height

    def farness(size: tuple[int, int]) -> tuple[float, bool, int]:
        shape = abs(math.log(size[0] * height / (size[1] * width)))
        is_small = size[0] < width or size[1] < height
        area = size[0] * size[1]
        return round(shape, 6), is_small, -area if is_small else area

    return min(painter.sizes, key=farness)


def _fits(painter: Painter, width: int, height: int) -> bool:
    if painter.step is None or width % painter.step or height % painter.step:
        return False
    is_in_shape = max(width, height) <= _LONGEST_SHAPE * min(width, height)
    return is_in_shape and _LEAST_PIXELS <= width * height <= _MOST_PIXELS
