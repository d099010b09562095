"""What flies: balloons, rockets, planes and saucers."""

import math
from itertools import pairwise

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.curves import Points
from gateway_local.painting.stage import Stage


def balloon(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a striped hot-air balloon whose basket hangs at (x, y)."""
    canvas = stage.canvas
    main = colour or (214, 72, 62)
    other: Rgb = (250, 224, 150)
    top, radius = y - size, size * 0.36
    cx, cy = x, top + radius

    def seam(lane: float) -> list[tuple[float, float]]:
        return [
            (cx, top),
            (cx + lane * radius * 0.8, cy - radius * 0.62),
            (cx + lane * radius, cy),
            (cx + lane * radius * 0.72, cy + radius * 0.72),
            (cx + lane * radius * 0.2, cy + radius * 1.32),
        ]

    lanes = [math.sin(turn) for turn in np.linspace(-math.pi / 2, math.pi / 2, 9).tolist()]
    for number, (one, two) in enumerate(pairwise(lanes)):
        left = curves.smooth(seam(one), closed=False)
        right = curves.smooth(seam(two), closed=False)
        tone = main if number % 2 == 0 else other
        shade = 0.055 * max(0, number - 3)
        gore = np.concatenate([left, right[::-1]])
        canvas.shape(
            gore,
            stage.lit(lighter(tone, 0.12 - shade / 4)),
            to=stage.lit(darker(tone, 0.14 + shade)),
        )
    basket = curves.box(x - size * 0.055, y - size * 0.1, x + size * 0.055, y)
    for dx in (-1.0, 1.0):
        rope = curves.polygon(
            (cx + dx * radius * 0.19, cy + radius * 1.3), (x + dx * size * 0.05, y - size * 0.1)
        )
        canvas.stroke(rope, stage.lit((84, 64, 50)), size * 0.008)
    canvas.shape(basket, stage.lit((162, 112, 66)), to=stage.lit((104, 68, 42)))
    if stage.light.is_dark:
        canvas.glow(cx, cy + radius * 0.5, radius * 1.5, (255, 190, 90), 0.55)


def rocket(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a rocket in flight around (x, y), leaning to the right, `size` pixels long."""
    accent = colour or (214, 58, 52)

    def lay(points: Points) -> Points:
        return curves.moved(curves.turned(points * size, 0.42), x, y)

    canvas = stage.canvas
    chance = stage.branch()
    foot = lay(np.array([(0.0, 0.62)]))[0]
    canvas.glow(float(foot[0]), float(foot[1]), size * 0.5, (255, 150, 60), 0.8)
    for puff in range(16):
        part = puff / 15
        at = lay(np.array([(float(chance.normal()) * 0.05 * (1 + part), 0.72 + 0.62 * part)]))[0]
        radius = size * (0.035 + 0.06 * part)
        canvas.shape(
            curves.oval(float(at[0]), float(at[1]), radius),
            mix((255, 220, 190), (120, 116, 150), part),
            alpha=0.5,
        )
    for wide, long, tone in (
        (0.12, 0.5, (255, 120, 40)),
        (0.085, 0.36, (255, 196, 70)),
        (0.05, 0.22, (255, 250, 214)),
    ):
        flame = curves.smooth(
            [
                (-wide, 0.44),
                (-wide * 0.6, 0.44 + long * 0.6),
                (0.0, 0.44 + long),
                (wide * 0.6, 0.44 + long * 0.6),
                (wide, 0.44),
            ]
        )
        canvas.shape(lay(flame), tone)
    for side in (-1.0, 1.0):
        fin = curves.smooth(
            [(side * 0.12, 0.1), (side * 0.3, 0.32), (side * 0.3, 0.52), (side * 0.1, 0.42)],
            steps=5,
        )
        canvas.shape(lay(fin), accent if side < 0 else darker(accent, 0.25))
    body = curves.smooth(
        [
            (0.0, -0.56),
            (0.12, -0.34),
            (0.165, -0.05),
            (0.15, 0.24),
            (0.09, 0.44),
            (-0.09, 0.44),
            (-0.15, 0.24),
            (-0.165, -0.05),
            (-0.12, -0.34),
        ]
    )
    canvas.shape(lay(body), (250, 250, 252), to=(196, 202, 216))
    shade = curves.smooth(
        [
            (0.02, -0.5),
            (0.12, -0.34),
            (0.165, -0.05),
            (0.15, 0.24),
            (0.09, 0.44),
            (0.03, 0.44),
            (0.07, 0.2),
            (0.075, -0.1),
        ]
    )
    canvas.shape(lay(shade), (140, 148, 174), alpha=0.6)
    nose = curves.smooth(
        [(0.0, -0.57), (0.1, -0.38), (0.125, -0.3), (0.0, -0.27), (-0.125, -0.3), (-0.1, -0.38)]
    )
    canvas.shape(lay(nose), lighter(accent, 0.1), to=darker(accent, 0.1))
    band = curves.polygon((-0.135, 0.28), (0.135, 0.28), (0.115, 0.36), (-0.115, 0.36))
    canvas.shape(lay(band), accent)
    centre = lay(np.array([(0.0, -0.08)]))[0]
    cx, cy = float(centre[0]), float(centre[1])
    canvas.shape(curves.oval(cx, cy, size * 0.085), (110, 118, 140))
    canvas.shape(curves.oval(cx, cy, size * 0.066), (120, 206, 240), to=(40, 100, 170))
    canvas.shape(
        curves.oval(cx - size * 0.02, cy - size * 0.022, size * 0.02), (240, 252, 255), alpha=0.9
    )
    tail = curves.ribbon([(0.0, 0.2), (0.0, 0.5)], [0.03, 0.05], steps=2)
    canvas.shape(lay(tail), darker(accent, 0.15))


def plane(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw an airliner that climbs to the right; `size` is its length."""
    accent = colour or (48, 98, 190)

    def lay(*points: tuple[float, float]) -> Points:
        return curves.moved(curves.turned(np.array(points) * size, -0.16), x, y)

    canvas = stage.canvas
    canvas.shape(
        lay((0.0, -0.02), (-0.12, -0.2), (-0.2, -0.2), (-0.14, -0.02)), stage.lit((176, 184, 196))
    )
    canvas.shape(
        lay((-0.4, -0.04), (-0.52, -0.24), (-0.43, -0.24), (-0.3, -0.05)), stage.lit(accent)
    )
    body = curves.smooth(
        [(-0.5, -0.05), (-0.3, -0.065), (0.35, -0.065), (0.5, 0.0), (0.35, 0.06), (-0.2, 0.06)],
        steps=5,
    )
    canvas.shape(
        lay(*[(float(px), float(py)) for px, py in body]),
        stage.lit((250, 250, 252)),
        to=stage.lit((196, 204, 216)),
    )
    canvas.shape(
        lay((0.1, 0.02), (-0.16, 0.26), (-0.28, 0.27), (-0.1, 0.03)),
        stage.lit((206, 212, 222)),
        to=stage.lit((150, 160, 176)),
    )
    for place in np.linspace(-0.28, 0.3, 12).tolist():
        canvas.dots(lay((place, -0.02)), stage.lit((60, 84, 120)), size * 0.009)


def ufo(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a flying saucer with its beam on."""
    canvas, metal = stage.canvas, colour or (150, 160, 180)
    beam = curves.polygon(
        (x - size * 0.2, y),
        (x + size * 0.2, y),
        (x + size * 0.6, y + size * 1.5),
        (x - size * 0.6, y + size * 1.5),
    )
    canvas.shape(beam, (170, 255, 210), alpha=0.28)
    canvas.shape(
        curves.oval(x, y - size * 0.16, size * 0.24, size * 0.24),
        (170, 226, 240),
        to=(80, 140, 180),
    )
    canvas.shape(
        curves.oval(x, y, size * 0.6, size * 0.17), lighter(metal, 0.25), to=darker(metal, 0.4)
    )
    for place in np.linspace(-0.42, 0.42, 6).tolist():
        canvas.glow(x + place * size, y + size * 0.05, size * 0.09, (255, 236, 130), 0.9)
