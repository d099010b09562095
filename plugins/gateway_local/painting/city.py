"""A skyline: towers in rows, their windows, and signs that glow."""

from dataclasses import dataclass

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.chance import Generator, coin
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.stage import Stage

_LAMPS: tuple[Rgb, ...] = ((255, 214, 130), (255, 236, 190), (190, 220, 255))
_NEON: tuple[Rgb, ...] = ((255, 60, 180), (60, 230, 255), (255, 220, 80), (150, 90, 255))
_FACADES: tuple[Rgb, ...] = (
    (120, 136, 158),
    (148, 140, 140),
    (96, 118, 142),
    (168, 150, 132),
    (132, 148, 160),
)
_CROWNS = ("steps", "slant", "tip", "mast", "flat")


@dataclass(frozen=True, slots=True)
class _Block:
    """A tower's body; `near` is 0 in the farthest row and 1 in the nearest."""

    x: float
    base: float
    wide: float
    high: float
    near: float


def skyline(stage: Stage, *, base: float, tall: float) -> None:
    """Draw three rows of towers whose feet are at `base`."""
    is_neon = stage.scene.style == "neon"
    glow: Rgb = (255, 60, 170) if is_neon else (255, 190, 110)
    if stage.light.is_dark:
        for place in (0.2, 0.5, 0.8):
            stage.canvas.glow(stage.width * place, base, tall * 0.9, glow, 0.34)
    for row in range(3):
        _row(stage, base=base, tall=tall * (1.0 - 0.16 * row), near=row / 2, is_neon=is_neon)


def _row(stage: Stage, *, base: float, tall: float, near: float, is_neon: bool) -> None:
    chance, unit = stage.branch(), stage.unit
    x = -unit * float(chance.uniform(0.0, 0.06))
    middle = stage.width * float(chance.uniform(0.36, 0.64))
    while x < stage.width:
        wide = unit * float(chance.uniform(0.06, 0.12)) * (0.8 + 0.35 * near)
        central = np.exp(-(((x + wide / 2 - middle) / (stage.width * 0.34)) ** 2))
        high = tall * (
            0.3 + 0.42 * central * float(chance.uniform(0.5, 1.0)) + 0.26 * float(chance.random())
        )
        block = _Block(x, base, wide, high * (1 - 0.34 * near), near)
        _tower(stage, chance, block, is_neon=is_neon)
        x += wide * float(chance.uniform(0.92, 1.2))


def _tower(stage: Stage, chance: Generator, block: _Block, *, is_neon: bool) -> None:
    x, base, wide, high, near = block.x, block.base, block.wide, block.high, block.near
    canvas = stage.canvas
    facade = _FACADES[int(chance.integers(len(_FACADES)))]
    if stage.light.is_dark:
        facade = mix(facade, (28, 26, 52), 0.72)
    tone = stage.lit(facade, 0.72 * (1 - near) ** 1.2)
    right, top = x + wide, base - high
    parts = [curves.box(x, top, right, base)]
    crown = _CROWNS[int(chance.integers(len(_CROWNS)))]
    if crown == "steps":
        parts.append(curves.box(x + wide * 0.2, top - high * 0.08, right - wide * 0.2, top + 1))
        parts.append(curves.box(x + wide * 0.36, top - high * 0.14, right - wide * 0.36, top))
    elif crown == "slant":
        parts.append(curves.polygon((x, top + 1), (right, top + 1), (right, top - wide * 0.45)))
    elif crown == "tip":
        parts.append(
            curves.polygon((x, top + 1), (x + wide / 2, top - wide * 0.7), (right, top + 1))
        )
    canvas.shape(parts, tone, to=darker(tone, 0.25))
    if not canvas.is_outline:
        shade = curves.box(x + wide * 0.62, top, right, base)
        canvas.shape(shade, darker(tone, 0.4), alpha=0.4)
    if crown in {"steps", "mast"}:
        mast = curves.polygon((x + wide / 2, top), (x + wide / 2, top - high * 0.26))
        canvas.stroke(mast, tone, wide * 0.04)
        if stage.light.is_dark:
            canvas.glow(x + wide / 2, top - high * 0.26, wide * 0.2, (255, 60, 60), 0.9)
    _windows(stage, chance, block, is_neon=is_neon)
    if is_neon and near > 0 and coin(chance, 0.6):
        _sign(stage, chance, block)


def _windows(stage: Stage, chance: Generator, block: _Block, *, is_neon: bool) -> None:
    x, base, wide, high, near = block.x, block.base, block.wide, block.high, block.near
    pitch = stage.unit * (0.0105 + 0.003 * near)
    columns, rows = int(wide / pitch) - 1, min(70, int(high / pitch) - 1)
    if min(columns, rows) <= 1:
        return
    lit = chance.random((rows, columns)) < (0.42 if stage.light.is_dark else 0.8)
    step = wide / (columns + 0.6)
    pane = step * 0.5
    lamp: Rgb = _LAMPS[int(chance.integers(len(_LAMPS)))]
    if is_neon:
        lamp = mix(_NEON[int(chance.integers(len(_NEON)))], lamp, 0.35)
    day = stage.lit(lighter((120, 160, 196), 0.2), 0.5 * (1 - near))
    colour = lamp if stage.light.is_dark else day
    alpha = (0.5 + 0.5 * near) if stage.light.is_dark else 0.5
    for row, column in np.argwhere(lit).tolist():
        left = x + step * (column + 0.5)
        top = base - high + pitch * (row + 0.8)
        if not stage.canvas.is_outline or (row + column) % 2 == 0:
            box = curves.box(left, top, left + pane, top + pitch * 0.55)
            stage.canvas.shape(box, colour, alpha=alpha)


def _sign(stage: Stage, chance: Generator, block: _Block) -> None:
    x, wide, high = block.x, block.wide, block.high
    top = block.base - high
    colour = _NEON[int(chance.integers(len(_NEON)))]
    left = x + wide * float(chance.uniform(0.1, 0.6))
    first = top + high * float(chance.uniform(0.1, 0.4))
    tall, across = high * 0.3, wide * 0.22
    stage.canvas.glow(left + across / 2, first + tall / 2, tall * 0.7, colour, 0.5)
    frame = curves.box(left, first, left + across, first + tall)
    stage.canvas.shape(frame, darker(colour, 0.75))
    loop = np.concatenate([frame, frame[:2]])
    stage.canvas.stroke(loop, lighter(colour, 0.25), wide * 0.03)
    for mark in np.linspace(0.14, 0.86, 5).tolist():
        y = first + tall * mark
        inset = across * float(chance.uniform(0.2, 0.34))
        glyph = curves.polygon((left + inset, y), (left + across - inset, y + tall * 0.05))
        stage.canvas.stroke(glyph, lighter(colour, 0.6), wide * 0.03)
