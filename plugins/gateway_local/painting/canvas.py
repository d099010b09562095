"""The canvas: shapes, strokes, glows and fields of colour, drawn larger than asked for."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from gateway_local.painting.colours import Rgb, luma
from gateway_local.painting.curves import Points
from gateway_local.painting.noise import Floats

_MOST_PIXELS = 9_500_000  # What the largest picture may cost at once: 1.5 times 2048 each way.
_PAPER: Rgb = (250, 248, 242)
_INK: Rgb = (38, 38, 48)
_DARK = 70.0
_PALE = 150.0
_SPECK = 3.0
_FAINT = 0.55
_RIM = 176  # What Pillow's radial gradient has in the middle of an edge; its corners have 255.


class Canvas:
    """A picture in the making. Coordinates are pixels of the finished one.

    It is twice as large inside (less for very large ones), which makes edges smooth. With
    `is_outline` shapes are drawn as ink lines on paper, hiding what is behind them, and everything
    faint is left out.
    """

    def __init__(self, width: int, height: int, *, is_outline: bool = False) -> None:
        self.width = width
        self.height = height
        self.is_outline = is_outline
        self.unit = float(min(width, height))
        self._scale = min(2.0, math.sqrt(_MOST_PIXELS / (width * height)))
        size = (round(width * self._scale), round(height * self._scale))
        self._across = size[0] / width
        self._down = size[1] / height
        self._image = Image.new("RGB", size, _PAPER)
        self._draw = ImageDraw.Draw(self._image, "RGBA")
        fall = [max(0, round(255 - level * 255 / _RIM)) for level in range(256)]
        self._halo = Image.radial_gradient("L").point(fall)
        self._pen = max(1, round(self.unit * self._scale / 300))

    def finish(self) -> Image.Image:
        """Return the picture in the size that was asked for."""
        return self._image.resize((self.width, self.height), Image.Resampling.BOX)

    def shape(
        self,
        parts: Points | Sequence[Points],
        colour: Rgb,
        *,
        to: Rgb | None = None,
        alpha: float = 1.0,
    ) -> None:
        """Fill the union of `parts`; with `to` the colour runs to it from top to bottom."""
        outlines = [parts] if isinstance(parts, np.ndarray) else list(parts)
        if not outlines:
            return
        if self.is_outline:
            self._outline(outlines, colour, alpha)
        elif to is None and (alpha >= 1.0 or len(outlines) == 1):
            fill = (*colour, round(255 * alpha))
            for part in outlines:
                self._draw.polygon(self._flat(part), fill=fill)
        else:
            self._run(outlines, colour, colour if to is None else to, alpha)

    def stroke(self, points: Points, colour: Rgb, width: float, *, alpha: float = 1.0) -> None:
        """Draw a line `width` pixels wide along `points`."""
        thick = max(1, round(width * self._scale))
        if self.is_outline:
            if alpha < _FAINT:
                return
            colour, thick = _INK, min(thick, self._pen)
        fill = (*colour, round(255 * alpha))
        self._draw.line(self._flat(points), fill=fill, width=thick, joint="curve")

    def dots(self, points: Points, colour: Rgb, radius: float, *, alpha: float = 1.0) -> None:
        """Draw one small disc at each of `points`."""
        if self.is_outline:
            if luma(colour) > _PALE:
                return
            colour = _INK
        half = max(0.5, radius * self._scale)
        fill = (*colour, round(255 * alpha))
        for x, y in (points * (self._across, self._down)).tolist():
            self._draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)

    def glow(self, x: float, y: float, radius: float, colour: Rgb, strength: float) -> None:
        """Brighten a round patch towards `colour`, most in its middle."""
        if self.is_outline or radius < 1.0:
            return
        size = max(2, round(2 * radius * self._scale))
        curve = [round(255 * strength * (level / 255) ** 2.2) for level in range(256)]
        mask = self._halo.point(curve).resize((size, size), Image.Resampling.BILINEAR)
        corner = (round(x * self._across - size / 2), round(y * self._down - size / 2))
        self._image.paste(Image.new("RGB", (size, size), colour), corner, mask)

    def field(
        self,
        colours: Floats,
        *,
        top: float = 0.0,
        bottom: float | None = None,
        within: Points | Sequence[Points] | None = None,
        alpha: Floats | None = None,
    ) -> None:
        """Lay rows of colours (0 to 255) over the full width from `top` to `bottom`.

        `within` is the outline that they fill, `alpha` (0 to 1, in the same rows) how much they
        cover. In an outline drawing only the outline is drawn.
        """
        if self.is_outline:
            if within is not None:
                self.shape(within, _PAPER)
            return
        first = round(top * self._down)
        last = round((self.height if bottom is None else bottom) * self._down)
        size = (self._image.width, last - first)
        if size[1] < 1:
            return
        pixels = np.clip(colours, 0, 255).astype(np.uint8)
        image = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
        mask: Image.Image | None = None
        if alpha is not None:
            levels = (np.clip(alpha, 0, 1) * 255).astype(np.uint8)
            mask = Image.fromarray(levels).resize(size, Image.Resampling.BILINEAR)
        if within is not None:
            cover = Image.new("L", size, 0)
            pen = ImageDraw.Draw(cover)
            for part in [within] if isinstance(within, np.ndarray) else within:
                pen.polygon(self._flat(part - (0.0, top)), fill=255)
            if mask is not None:
                cover.paste(0, (0, 0), mask.point([255 - level for level in range(256)]))
            mask = cover
        self._image.paste(image, (0, first), mask)

    def above(self, line: float) -> Floats:
        """Return what is painted from the top down to `line`, in pixels of the finished picture."""
        last = max(1, round(line * self._down))
        part = self._image.crop((0, 0, self._image.width, last))
        size = (self.width, max(1, round(line)))
        return np.asarray(part.resize(size, Image.Resampling.BOX), dtype=np.float32)

    def stamp(self, image: Image.Image, left: float, top: float, size: tuple[float, float]) -> None:
        """Lay an RGBA picture on the canvas, stretched to `size`."""
        pixels = (max(1, round(size[0] * self._across)), max(1, round(size[1] * self._down)))
        corner = (round(left * self._across), round(top * self._down))
        if self.is_outline:
            box = (*corner, corner[0] + pixels[0], corner[1] + pixels[1])
            self._draw.ellipse(box, fill=_PAPER, outline=_INK, width=self._pen)
            return
        grown = image.resize(pixels, Image.Resampling.BILINEAR)
        self._image.paste(grown.convert("RGB"), corner, grown.getchannel("A"))

    def _flat(self, points: Points) -> list[float]:
        flat: list[float] = (points * (self._across, self._down)).ravel().tolist()
        return flat

    def _run(self, parts: Sequence[Points], top: Rgb, bottom: Rgb, alpha: float) -> None:
        every = np.concatenate(list(parts)) * (self._across, self._down)
        low, high = np.floor(every.min(axis=0)), np.ceil(every.max(axis=0)) + 1
        height = max(1, int(high[1] - low[1]))
        left, right = max(0, int(low[0])), min(self._image.width, int(high[0]))
        first, last = max(0, int(low[1])), min(self._image.height, int(high[1]))
        if left >= right or first >= last:
            return
        mask = Image.new("L", (right - left, last - first), 0)
        pen = ImageDraw.Draw(mask)
        level = round(255 * alpha)
        for part in parts:
            moved = part * (self._across, self._down) - (left, first)
            pen.polygon(moved.ravel().tolist(), fill=level)
        share = (np.arange(first, last) - low[1])[:, None] / height
        rows = np.array(top) + (np.array(bottom) - np.array(top)) * share
        column = Image.fromarray(rows.round().astype(np.uint8)[:, None, :])
        self._image.paste(column.resize(mask.size), (left, first), mask)

    def _outline(self, parts: Sequence[Points], colour: Rgb, alpha: float) -> None:
        if alpha < _FAINT:
            return
        every = np.concatenate(list(parts))
        extent = float(np.ptp(every, axis=0).max())
        if extent < self.unit * 0.04 and (luma(colour) < _DARK or extent < _SPECK):
            for part in parts:
                self._draw.polygon(self._flat(part), fill=_INK)
            return
        for part in parts:
            around = self._flat(np.concatenate([part, part[:2]]))
            self._draw.line(around, fill=_INK, width=self._pen * 2, joint="curve")
        for part in parts:
            self._draw.polygon(self._flat(part), fill=_PAPER)
