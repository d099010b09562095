"""Castles, towers, lighthouses, windmills, pyramids, tents and bridges."""

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.curves import Points
from gateway_local.painting.houses import LAMP, SNOW, is_cold, window
from gateway_local.painting.stage import Stage

_STONE: Rgb = (158, 152, 146)


def castle(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a castle: a wall, a gate and five towers, `size` pixels tall."""
    stone, canvas = colour or _STONE, stage.canvas
    roof: Rgb = (70, 84, 132)
    towers = (
        (0.0, 0.72, 0.2),
        (-0.28, 0.58, 0.13),
        (0.28, 0.58, 0.13),
        (-0.52, 0.46, 0.15),
        (0.52, 0.46, 0.15),
    )
    for place, high, wide in towers[:3]:
        _tower(
            stage, x + place * size, y, high=size * high, wide=size * wide, stone=stone, roof=roof
        )
    wall = curves.box(x - size * 0.5, y - size * 0.3, x + size * 0.5, y)
    canvas.shape(
        [wall, *_teeth(x - size * 0.5, x + size * 0.5, y - size * 0.3, size * 0.035)],
        stage.lit(stone),
        to=stage.lit(darker(stone, 0.22)),
    )
    gate = curves.smooth(
        [
            (x - size * 0.08, y),
            (x - size * 0.08, y - size * 0.12),
            (x, y - size * 0.19),
            (x + size * 0.08, y - size * 0.12),
            (x + size * 0.08, y),
        ],
        closed=False,
    )
    canvas.shape(gate, stage.lit((58, 44, 38)))
    for place, high, wide in towers[3:]:
        pale = lighter(stone, 0.06)
        _tower(
            stage, x + place * size, y, high=size * high, wide=size * wide, stone=pale, roof=roof
        )


def _tower(
    stage: Stage, x: float, y: float, *, high: float, wide: float, stone: Rgb, roof: Rgb
) -> None:
    canvas = stage.canvas
    body = curves.box(x - wide / 2, y - high, x + wide / 2, y)
    canvas.shape(body, stage.lit(stone), to=stage.lit(darker(stone, 0.2)))
    shade = curves.box(x + wide * 0.18, y - high, x + wide / 2, y)
    canvas.shape(shade, stage.lit(darker(stone, 0.4)), alpha=0.5)
    rim = curves.box(
        x - wide * 0.58, y - high - wide * 0.12, x + wide * 0.58, y - high + wide * 0.08
    )
    canvas.shape(rim, stage.lit(darker(stone, 0.12)))
    cone = curves.polygon(
        (x - wide * 0.66, y - high - wide * 0.1),
        (x, y - high - wide * 1.5),
        (x + wide * 0.66, y - high - wide * 0.1),
    )
    cold = is_cold(stage)
    tip = SNOW if cold else roof
    canvas.shape(cone, stage.lit(lighter(tip, 0.1)), to=stage.lit(darker(tip, 0.25)))
    mast = (x, y - high - wide * 1.5)
    canvas.stroke(
        curves.polygon(mast, (mast[0], mast[1] - wide * 0.4)), stage.lit((80, 70, 64)), wide * 0.04
    )
    flag = curves.polygon(
        (mast[0], mast[1] - wide * 0.4),
        (mast[0] + wide * 0.36, mast[1] - wide * 0.28),
        (mast[0], mast[1] - wide * 0.16),
    )
    canvas.shape(flag, stage.lit((204, 54, 58)))
    for level in (0.45, 0.75):
        slit = [
            (x - wide * 0.09, y - high * level),
            (x + wide * 0.09, y - high * level - wide * 0.34),
        ]
        window(stage, slit, 0.0, wide * 1.6)


def _teeth(left: float, right: float, top: float, size: float) -> list[Points]:
    places = np.arange(left, right - size * 0.5, size * 2)
    return [curves.box(x, top - size, x + size, top + 1) for x in places.tolist()]


def lighthouse(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a striped lighthouse on a rock, its beam on when it is dark."""
    canvas, stripe = stage.canvas, colour or (198, 52, 48)
    rock = curves.smooth(
        [
            (x - size * 0.5, y + size * 0.06),
            (x - size * 0.32, y - size * 0.07),
            (x, y - size * 0.1),
            (x + size * 0.3, y - size * 0.06),
            (x + size * 0.52, y + size * 0.06),
        ]
    )
    canvas.shape(rock, stage.lit((118, 110, 104)), to=stage.lit((70, 66, 68)))
    base, top = y - size * 0.06, y - size * 0.8

    def half(level: float) -> float:
        return size * (0.12 - 0.045 * level)

    for band in range(6):
        low, high = band / 6, (band + 1) / 6
        y0, y1 = base + (top - base) * low, base + (top - base) * high
        piece = curves.polygon(
            (x - half(low), y0), (x + half(low), y0), (x + half(high), y1), (x - half(high), y1)
        )
        canvas.shape(piece, stage.lit(stripe if band % 2 else (248, 244, 236)))
        dim = curves.polygon(
            (x + half(low) * 0.35, y0),
            (x + half(low), y0),
            (x + half(high), y1),
            (x + half(high) * 0.35, y1),
        )
        canvas.shape(dim, stage.lit((40, 36, 52)), alpha=0.22)
    lamp = (x, top - size * 0.055)
    canvas.shape(
        curves.box(x - size * 0.1, top - size * 0.012, x + size * 0.1, top + size * 0.012),
        stage.lit((60, 58, 64)),
    )
    if stage.light.is_dark or stage.scene.weather in {"fog", "storm"}:
        for side in (-1.0, 1.0):
            beam = curves.polygon(
                lamp,
                (x + side * size * 1.6, lamp[1] - size * 0.28),
                (x + side * size * 1.6, lamp[1] + size * 0.06),
            )
            canvas.shape(beam, (255, 240, 180), alpha=0.22)
        canvas.glow(*lamp, size * 0.4, (255, 236, 170), 0.8)
    room = curves.box(x - size * 0.052, top - size * 0.1, x + size * 0.052, top - size * 0.012)
    canvas.shape(room, (255, 238, 170) if stage.light.is_dark else stage.lit((190, 214, 226)))
    dome = curves.smooth(
        [
            (x - size * 0.07, top - size * 0.1),
            (x, top - size * 0.18),
            (x + size * 0.07, top - size * 0.1),
        ],
        closed=False,
    )
    canvas.shape(dome, stage.lit(stripe))


def windmill(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a windmill with four sails."""
    wall, canvas = colour or (226, 214, 190), stage.canvas
    body = curves.polygon(
        (x - size * 0.19, y),
        (x + size * 0.19, y),
        (x + size * 0.11, y - size * 0.62),
        (x - size * 0.11, y - size * 0.62),
    )
    canvas.shape(body, stage.lit(lighter(wall, 0.1)), to=stage.lit(darker(wall, 0.18)))
    cap = curves.smooth(
        [
            (x - size * 0.14, y - size * 0.61),
            (x, y - size * 0.78),
            (x + size * 0.14, y - size * 0.61),
        ],
        closed=False,
    )
    canvas.shape(cap, stage.lit((120, 66, 52)))
    canvas.shape(
        curves.box(x - size * 0.04, y - size * 0.18, x + size * 0.04, y), stage.lit((88, 58, 44))
    )
    hub = (x, y - size * 0.64)
    start = float(stage.branch().uniform(0.2, 1.2))
    for sail in range(4):
        angle = start + sail * np.pi / 2
        blade = np.array([(0.0, 0.02), (0.36, 0.02), (0.36, -0.07), (0.06, -0.07)]) * size
        canvas.shape(curves.turned(blade, angle) + hub, stage.lit((246, 240, 226)), alpha=0.92)
        spar = curves.turned(np.array([(0.0, 0.0), (0.38, 0.0)]) * size, angle) + hub
        canvas.stroke(spar, stage.lit((84, 60, 46)), size * 0.014)
    canvas.shape(curves.oval(*hub, size * 0.02), stage.lit((60, 44, 38)))


def tower(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a round stone tower."""
    stone = colour or _STONE
    _tower(stage, x, y, high=size * 0.66, wide=size * 0.2, stone=stone, roof=(128, 66, 58))


def pyramid(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a pyramid with a sunny and a shady face."""
    sand = colour or (222, 182, 116)
    bright = curves.polygon((x - size * 0.9, y), (x, y - size), (x + size * 0.24, y))
    shady = curves.polygon((x + size * 0.24, y), (x, y - size), (x + size * 0.9, y))
    stage.canvas.shape(bright, stage.lit(lighter(sand, 0.16)), to=stage.lit(sand))
    stage.canvas.shape(shady, stage.lit(darker(sand, 0.26)), to=stage.lit(darker(sand, 0.4)))
    for row in range(1, 16):
        part = row / 16
        course = curves.polygon(
            (x - size * 0.9 * part, y - size * (1 - part)),
            (x + size * 0.24 * part, y - size * (1 - part)),
            (x + size * 0.9 * part, y - size * (1 - part)),
        )
        stage.canvas.stroke(course, stage.lit(darker(sand, 0.3)), size * 0.004, alpha=0.4)


def tent(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a tent, lit from inside when it is dark."""
    cloth = colour or (226, 132, 56)
    if stage.light.is_dark:
        stage.canvas.glow(x, y - size * 0.3, size * 1.1, LAMP, 0.5)
        cloth = lighter(mix(cloth, LAMP, 0.6), 0.2)
    front = curves.polygon((x - size * 0.62, y), (x - size * 0.1, y - size), (x + size * 0.3, y))
    back = curves.polygon(
        (x + size * 0.3, y),
        (x - size * 0.1, y - size),
        (x + size * 0.5, y - size * 0.84),
        (x + size * 0.92, y - size * 0.05),
    )
    tone = cloth if stage.light.is_dark else stage.lit(cloth)
    stage.canvas.shape(back, darker(tone, 0.26), to=darker(tone, 0.42))
    stage.canvas.shape(front, lighter(tone, 0.1), to=darker(tone, 0.12))
    flap = curves.polygon(
        (x - size * 0.28, y), (x - size * 0.12, y - size * 0.72), (x + size * 0.04, y)
    )
    stage.canvas.shape(flap, darker(tone, 0.62))


def bridge(stage: Stage, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a hanging bridge over the full width, its road at `y`, pylons `size` pixels tall."""
    steel, canvas, width = colour or (188, 72, 58), stage.canvas, stage.width
    tone, dim = stage.lit(steel, 0.25), stage.lit(darker(steel, 0.3), 0.25)
    left, right = width * 0.26, width * 0.74
    span = right - left
    top = y - size

    def cable(x: float) -> float:
        if left <= x <= right:
            return y - size * 0.08 - (size * 0.92) * (2 * (x - left) / span - 1) ** 2
        away = (left - x) / left if x < left else (x - right) / (width - right)
        return top + (size * 0.92) * min(1.0, away)

    for x in np.linspace(0, width, 64).tolist():
        canvas.stroke(curves.polygon((x, cable(x)), (x, y)), tone, size * 0.006, alpha=0.8)
    line = np.array([(x, cable(x)) for x in np.linspace(0, width, 160).tolist()])
    canvas.stroke(line, tone, size * 0.022)
    for x in (left, right):
        for dx in (-0.045, 0.045):
            leg = curves.box(
                x + (dx - 0.018) * size, top - size * 0.03, x + (dx + 0.018) * size, y + size * 0.3
            )
            canvas.shape(leg, tone, to=dim)
        for level in (0.15, 0.45, 0.75):
            beam = curves.box(
                x - size * 0.05, top + size * level, x + size * 0.05, top + size * (level + 0.035)
            )
            canvas.shape(beam, dim)
    canvas.shape(curves.box(0, y - size * 0.02, width, y + size * 0.045), tone, to=dim)
