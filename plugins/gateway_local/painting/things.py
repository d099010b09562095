"""Small things: snowmen, umbrellas, fires, rocks, fences, balls and hearts."""

import math
from itertools import pairwise

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.stage import Stage


def snowman(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a snowman with a hat and a scarf, `size` pixels tall."""
    canvas, scarf = stage.canvas, colour or (204, 52, 56)
    snow, blue = stage.lit((252, 252, 255)), stage.lit((186, 206, 232))
    canvas.shape(curves.oval(x, y, size * 0.34, size * 0.04), (40, 60, 96), alpha=0.3)
    for side in (-1.0, 1.0):
        arm = [(x + side * size * 0.16, y - size * 0.52), (x + side * size * 0.36, y - size * 0.64)]
        canvas.shape(curves.ribbon(arm, [size * 0.022, size * 0.012]), stage.lit((92, 66, 48)))
        twig = [
            (x + side * size * 0.3, y - size * 0.605),
            (x + side * size * 0.35, y - size * 0.57),
        ]
        canvas.shape(curves.ribbon(twig, [size * 0.012, size * 0.006]), stage.lit((92, 66, 48)))
    for level, radius in ((0.22, 0.24), (0.52, 0.185), (0.76, 0.135)):
        canvas.shape(curves.oval(x, y - level * size, radius * size), snow, to=blue)
    band = curves.ribbon(
        [
            (x - size * 0.12, y - size * 0.665),
            (x, y - size * 0.64),
            (x + size * 0.12, y - size * 0.665),
        ],
        [size * 0.05],
    )
    end = curves.ribbon(
        [(x + size * 0.07, y - size * 0.65), (x + size * 0.1, y - size * 0.48)],
        [size * 0.05, size * 0.055],
    )
    canvas.shape([band, end], stage.lit(scarf), to=stage.lit(darker(scarf, 0.2)))
    dark: Rgb = (36, 34, 42)
    eyes = np.array([(x - size * 0.045, y - size * 0.8), (x + size * 0.045, y - size * 0.8)])
    canvas.dots(eyes, dark, size * 0.014)
    canvas.dots(np.array([(x, y - size * up) for up in (0.56, 0.49, 0.42)]), dark, size * 0.015)
    nose = curves.polygon(
        (x, y - size * 0.775), (x + size * 0.14, y - size * 0.75), (x, y - size * 0.745)
    )
    canvas.shape(nose, stage.lit((240, 136, 44)))
    canvas.shape(
        curves.box(x - size * 0.15, y - size * 0.885, x + size * 0.15, y - size * 0.86),
        stage.lit(dark),
    )
    canvas.shape(
        curves.box(x - size * 0.095, y - size * 1.02, x + size * 0.095, y - size * 0.87),
        stage.lit(dark),
    )
    canvas.shape(
        curves.box(x - size * 0.095, y - size * 0.915, x + size * 0.095, y - size * 0.885),
        stage.lit(scarf),
    )


def umbrella(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw an open umbrella that stands at (x, y)."""
    cloth, canvas = colour or (206, 58, 62), stage.canvas
    canvas.stroke(
        curves.polygon((x, y), (x, y - size * 0.96)), stage.lit((110, 78, 54)), size * 0.03
    )
    top, rim = y - size, y - size * 0.58
    lanes = np.linspace(-0.62, 0.62, 7).tolist()
    for number, (one, two) in enumerate(pairwise(lanes)):
        outline = np.concatenate(
            [
                curves.smooth(
                    [(x, top), (x + one * size * 0.7, top + size * 0.14), (x + one * size, rim)],
                    closed=False,
                ),
                curves.smooth(
                    [
                        (x + one * size, rim),
                        (x + (one + two) / 2 * size, rim - size * 0.06),
                        (x + two * size, rim),
                    ],
                    closed=False,
                ),
                curves.smooth(
                    [(x + two * size, rim), (x + two * size * 0.7, top + size * 0.14), (x, top)],
                    closed=False,
                ),
            ]
        )
        tone = cloth if number % 2 == 0 else lighter(cloth, 0.45)
        canvas.shape(outline, stage.lit(lighter(tone, 0.08)), to=stage.lit(darker(tone, 0.16)))


def campfire(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a fire on crossed logs, and its light on what is around."""
    canvas, chance = stage.canvas, stage.branch()
    canvas.glow(x, y - size * 0.3, size * 2.2, (255, 160, 70), 0.6 if stage.light.is_dark else 0.3)
    for turn in (-0.3, 0.3):
        log = curves.turned(curves.box(-size * 0.45, -size * 0.06, size * 0.45, size * 0.06), turn)
        canvas.shape(
            curves.moved(log, x, y - size * 0.06),
            stage.lit((104, 70, 48)),
            to=stage.lit((60, 40, 32)),
        )
    for wide, high, tone in (
        (0.34, 0.95, (255, 104, 32)),
        (0.24, 0.7, (255, 178, 54)),
        (0.12, 0.42, (255, 246, 190)),
    ):
        sway = float(chance.uniform(-0.08, 0.08)) * size
        flame = curves.smooth(
            [
                (x - wide * size, y - size * 0.12),
                (x - wide * size * 0.8, y - size * high * 0.45),
                (x + sway, y - size * high),
                (x + wide * size * 0.8, y - size * high * 0.4),
                (x + wide * size, y - size * 0.12),
                (x, y - size * 0.02),
            ]
        )
        canvas.shape(flame, tone)
    sparks = np.stack(
        [x + chance.normal(0, 0.3, 16) * size, y - size * chance.uniform(0.9, 1.9, 16)], axis=1
    )
    canvas.dots(sparks, (255, 200, 100), size * 0.016)


def rock(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a boulder with a bright and a dark face."""
    stone, canvas, chance = colour or (134, 130, 126), stage.canvas, stage.branch()
    rim = [
        (
            x + math.cos(turn) * size * 0.6 * float(chance.uniform(0.85, 1.1)),
            y - size * 0.36 - math.sin(turn) * size * 0.42 * float(chance.uniform(0.85, 1.1)),
        )
        for turn in np.linspace(-0.4, math.pi + 0.4, 9).tolist()
    ]
    canvas.shape(np.array(rim), stage.lit(lighter(stone, 0.2)), to=stage.lit(darker(stone, 0.3)))
    side = [
        rim[0],
        rim[1],
        rim[2],
        rim[3],
        (x + size * 0.08, y - size * 0.5),
        (x + size * 0.16, y - size * 0.1),
    ]
    canvas.shape(np.array(side), stage.lit(darker(stone, 0.42)), alpha=0.6)


def fence(stage: Stage, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a fence over the full width with its feet at `y`."""
    wood, canvas = colour or (240, 234, 222), stage.canvas
    for level in (0.35, 0.72):
        rail = curves.box(0, y - size * (level + 0.07), stage.width, y - size * (level - 0.05))
        canvas.shape(rail, stage.lit(darker(wood, 0.12)))
    for x in np.arange(size * 0.1, stage.width, size * 0.42).tolist():
        board = curves.polygon(
            (x - size * 0.09, y),
            (x - size * 0.09, y - size * 0.9),
            (x, y - size),
            (x + size * 0.09, y - size * 0.9),
            (x + size * 0.09, y),
        )
        canvas.shape(board, stage.lit(wood), to=stage.lit(darker(wood, 0.14)))


def ball(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a striped ball that rests at (x, y)."""
    tone, canvas, radius = colour or (220, 66, 62), stage.canvas, size / 2
    canvas.shape(curves.oval(x, y, radius * 0.9, radius * 0.14), (10, 12, 20), alpha=0.3)
    canvas.shape(
        curves.oval(x, y - radius, radius),
        stage.lit((250, 246, 238)),
        to=stage.lit((190, 190, 200)),
    )
    for side in (-1.0, 1.0):
        stripe = np.concatenate(
            [
                curves.smooth(
                    [(x, y - 2 * radius), (x + side * radius * 0.75, y - radius), (x, y)],
                    closed=False,
                ),
                curves.smooth(
                    [(x, y), (x + side * radius * 0.2, y - radius), (x, y - 2 * radius)],
                    closed=False,
                ),
            ]
        )
        canvas.shape(stripe, stage.lit(lighter(tone, 0.1)), to=stage.lit(darker(tone, 0.25)))
    canvas.shape(
        curves.oval(x - radius * 0.35, y - radius * 1.45, radius * 0.18), (255, 255, 255), alpha=0.5
    )


def heart(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a heart around (x, y)."""
    tone = colour or (222, 52, 76)
    angles = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    across = 16 * np.sin(angles) ** 3
    down = -(
        13 * np.cos(angles) - 5 * np.cos(2 * angles) - 2 * np.cos(3 * angles) - np.cos(4 * angles)
    )
    outline = np.stack([x + across * size / 34, y + down * size / 34], axis=1)
    stage.canvas.glow(x, y, size * 0.9, lighter(tone, 0.3), 0.3)
    stage.canvas.shape(outline, lighter(tone, 0.14), to=darker(tone, 0.2))
    gleam = curves.oval(x - size * 0.24, y - size * 0.2, size * 0.1, size * 0.06, -0.7)
    stage.canvas.shape(gleam, mix(tone, (255, 255, 255), 0.7), alpha=0.7)
