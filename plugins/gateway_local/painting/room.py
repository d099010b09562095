"""A room with a window, a plant and a rug."""

import math

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.colours import Rgb, darker, from_hue, lighter, mix
from gateway_local.painting.stage import Stage


def room(stage: Stage) -> None:
    """Paint a room: wall, window, floor boards and a round rug."""
    canvas, chance, unit = stage.canvas, stage.branch(), stage.unit
    wall = stage.scene.tint or mix((236, 206, 164), (188, 206, 196), float(chance.random()))
    dark = stage.light.is_dark
    tone = mix(wall, (96, 74, 92), 0.55) if dark else wall
    floor_y = stage.horizon
    canvas.shape(curves.box(0, 0, stage.width, floor_y), lighter(tone, 0.14), to=darker(tone, 0.1))
    for x in np.arange(unit * 0.05, stage.width, unit * 0.11).tolist():
        stripe = curves.box(x, 0, x + unit * 0.045, floor_y)
        canvas.shape(stripe, lighter(tone, 0.3), alpha=0.35)
    _window(stage, stage.width * 0.5 + unit * 0.2, floor_y * 0.42, unit * 0.36)
    wood: Rgb = mix((176, 118, 74), (70, 46, 52), 0.5 if dark else 0.0)
    canvas.shape(curves.box(0, floor_y, stage.width, stage.height), darker(wood, 0.16), to=wood)
    for row in range(7):
        y = floor_y + (stage.height - floor_y) * (row / 7) ** 1.5
        canvas.stroke(
            curves.polygon((0, y), (stage.width, y)), darker(wood, 0.4), unit * 0.003, alpha=0.6
        )
        for _ in range(4):
            x = float(chance.uniform(0, stage.width))
            down = (stage.height - floor_y) * (((row + 1) / 7) ** 1.5 - (row / 7) ** 1.5)
            joint = curves.polygon((x, y), (x + (x - stage.width / 2) * 0.05, y + down))
            canvas.stroke(joint, darker(wood, 0.4), unit * 0.003, alpha=0.5)
    skirting = curves.box(0, floor_y - unit * 0.03, stage.width, floor_y)
    canvas.shape(skirting, mix((250, 244, 232), (110, 90, 100), 0.5 if dark else 0.0))
    _plant(stage, stage.width * 0.5 - unit * 0.4, floor_y + unit * 0.03, unit * 0.36)
    rug = from_hue(float(chance.uniform(0.5, 0.72)), 0.35, 0.62 if not dark else 0.4)
    middle = (stage.width / 2, floor_y + (stage.height - floor_y) * 0.62)
    for share, cloth in (
        (1.0, rug),
        (0.9, lighter(rug, 0.5)),
        (0.84, rug),
        (0.5, lighter(rug, 0.3)),
    ):
        ring = curves.oval(*middle, unit * 0.46 * share, unit * 0.15 * share)
        canvas.shape(ring, cloth)


def _window(stage: Stage, x: float, y: float, size: float) -> None:
    canvas = stage.canvas
    left, right, top, bottom = x - size * 0.4, x + size * 0.4, y - size * 0.5, y + size * 0.5
    frame: Rgb = (250, 246, 236)
    rim = size * 0.045
    canvas.shape(curves.box(left - rim, top - rim, right + rim, bottom + rim), frame)
    sky = stage.light.sky
    canvas.shape(curves.box(left, top, right, bottom), sky[len(sky) // 2][1], to=sky[-1][1])
    if stage.light.is_dark:
        canvas.shape(curves.oval(x + size * 0.16, y - size * 0.2, size * 0.07), (250, 244, 214))
    else:
        puffs = [
            curves.oval(x + dx * size, y + dy * size, r * size)
            for dx, dy, r in (
                (-0.2, -0.22, 0.07),
                (-0.1, -0.26, 0.09),
                (0.0, -0.22, 0.07),
                (-0.1, -0.2, 0.1),
            )
        ]
        canvas.shape(puffs, (255, 255, 255), alpha=0.8)
    hill = curves.smooth(
        [
            (left, bottom - size * 0.24),
            (x - size * 0.1, bottom - size * 0.34),
            (x + size * 0.2, bottom - size * 0.2),
            (right, bottom - size * 0.28),
        ],
        closed=False,
    )
    ground = np.concatenate([hill, curves.polygon((right, bottom), (left, bottom))])
    canvas.shape(ground, stage.lit((126, 170, 98)), to=stage.lit((84, 132, 76)))
    canvas.shape(curves.box(x - rim * 0.4, top, x + rim * 0.4, bottom), frame)
    canvas.shape(curves.box(left, y - rim * 0.4, right, y + rim * 0.4), frame)
    sill = curves.box(left - rim * 2, bottom + rim, right + rim * 2, bottom + rim * 2)
    canvas.shape(sill, (238, 230, 216), to=(206, 194, 178))
    for side in (-1.0, 1.0):
        edge = x + side * size * 0.54
        cloth = curves.smooth(
            [
                (x + side * size * 0.22, top - rim * 2),
                (edge + side * size * 0.1, top - rim * 2),
                (edge + side * size * 0.12, bottom + size * 0.12),
                (edge - side * size * 0.08, bottom + size * 0.12),
                (edge - side * size * 0.1, y + size * 0.1),
            ],
            steps=5,
        )
        canvas.shape(cloth, stage.lit((210, 108, 96)), to=stage.lit((164, 74, 74)))


def _plant(stage: Stage, x: float, y: float, size: float) -> None:
    canvas = stage.canvas
    pot = curves.polygon(
        (x - size * 0.17, y - size * 0.3),
        (x + size * 0.17, y - size * 0.3),
        (x + size * 0.12, y),
        (x - size * 0.12, y),
    )
    for turn in np.linspace(-1.1, 1.1, 9).tolist():
        reach = size * (0.72 - 0.12 * abs(turn))
        tip = (x + math.sin(turn) * reach, y - size * 0.3 - math.cos(turn) * reach)
        middle = ((x + tip[0]) / 2 - math.cos(turn) * size * 0.04, (y - size * 0.3 + tip[1]) / 2)
        leaf = curves.ribbon([(x, y - size * 0.28), middle, tip], [size * 0.03, size * 0.13, 0.0])
        canvas.shape(leaf, stage.lit((108, 160, 92)), to=stage.lit((54, 108, 70)))
    canvas.shape(pot, stage.lit((206, 124, 84)), to=stage.lit((160, 84, 58)))
    rim = curves.box(x - size * 0.19, y - size * 0.34, x + size * 0.19, y - size * 0.26)
    canvas.shape(rim, stage.lit((216, 138, 98)))
