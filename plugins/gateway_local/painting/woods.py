"""The inside of a forest."""

import math

import numpy as np

from gateway_local.painting import curves, noise, plants
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.stage import Stage, gradient
from gateway_local.painting.trees import tree
from gateway_local.painting.water import lane


def woods(stage: Stage) -> None:
    """Paint the inside of a forest: veils of trees, shafts of light and a path between trunks."""
    canvas, chance, unit, light = stage.canvas, stage.branch(), stage.unit, stage.light
    leaf = stage.scene.land_colours.get("forest", (78, 128, 74))
    if stage.scene.season == "autumn":
        leaf = (196, 128, 54)
    snowy = stage.scene.weather == "snow" or stage.scene.season == "winter"
    glow = mix(light.sky[-1][1], (226, 236, 170) if not snowy else (226, 234, 244), 0.55)
    deep = stage.lit(mix(leaf, (24, 62, 48), 0.6))
    sky = ((0.0, mix(deep, glow, 0.45)), (0.5, glow), (1.0, mix(glow, deep, 0.3)))
    rows = max(2, stage.height // 2)
    canvas.field(np.repeat(gradient(sky, rows), max(2, stage.width // 2), axis=1))
    canvas.glow(stage.sun_x, stage.height * 0.3, unit * 0.7, mix(light.sun, glow, 0.3), 0.75)
    floor: Rgb = (240, 244, 250) if snowy else mix(leaf, (96, 110, 60), 0.4)
    for veil in range(5):
        near = veil / 4
        base = stage.height * (0.66 + 0.032 * veil)
        tone = mix(glow, deep, 0.14 + 0.2 * veil)
        is_pine = stage.scene.season != "autumn" and veil % 2 == 0
        _veil(stage, base, unit * (0.5 + 0.16 * near), tone, is_pine=is_pine)
        ground = mix(mix(glow, stage.lit(floor), 0.35 + 0.16 * veil), tone, 0.3)
        rise = noise.profile(chance, 60, cell=24, octaves=2) * unit * 0.012
        rim = np.stack([np.linspace(0, stage.width, 60), base - unit * 0.01 + rise], axis=1)
        sheet = np.concatenate(
            [rim, curves.polygon((stage.width, stage.height), (0, stage.height))]
        )
        canvas.shape(sheet, ground, to=stage.lit(darker(floor, 0.4)))
    _path(stage, stage.height * 0.775, snowy=snowy)
    if not snowy:
        plants.grass(stage, top=stage.height * 0.79, colour=darker(floor, 0.1), count=300)
    _shafts(stage)
    for side in (-1.0, 1.0):
        for number in range(2):
            x = stage.width / 2 + side * (
                stage.width * (0.34 + 0.14 * number) + unit * float(chance.uniform(-0.03, 0.03))
            )
            _trunk(
                stage,
                x,
                stage.height * (0.86 + 0.1 * number),
                unit * (0.055 + 0.03 * number),
                snowy=snowy,
            )
    for _ in range(int(12 * stage.width / unit)):
        x = float(chance.uniform(0, stage.width))
        if abs(x - stage.width / 2) > unit * 0.16:
            y = stage.height * float(chance.uniform(0.84, 1.02))
            size = unit * float(chance.uniform(0.05, 0.09))
            _fern(stage, x, y, size, floor if not snowy else (120, 140, 120))
    if stage.scene.first("pine") or stage.scene.first("tree"):
        for x in (0.24, 0.72):
            tree(stage, "pine", stage.width * x, stage.height * 0.86, unit * 0.44)


def _veil(stage: Stage, base: float, tall: float, tone: Rgb, *, is_pine: bool) -> None:
    chance, unit = stage.branch(), stage.unit
    parts = []
    for x in np.arange(-unit * 0.05, stage.width + unit * 0.05, unit * 0.075).tolist():
        at = x + float(chance.uniform(-0.03, 0.03)) * unit
        high = tall * float(chance.uniform(0.6, 1.1))
        trunk = unit * 0.008
        parts.append(curves.box(at - trunk, base - high * 0.8, at + trunk, base + unit * 0.2))
        if is_pine:
            for level in range(6):
                foot = base - high * (0.1 + 0.14 * level)
                half = high * 0.15 * (1 - level / 7)
                parts.append(
                    curves.polygon((at, foot - high * 0.3), (at + half, foot), (at - half, foot))
                )
        else:
            parts += [
                curves.oval(
                    at + float(chance.normal()) * high * 0.07,
                    base - high * float(chance.uniform(0.5, 0.9)),
                    high * 0.12,
                )
                for _ in range(5)
            ]
    stage.canvas.shape(parts, tone, to=mix(tone, stage.light.haze, 0.35))


def _path(stage: Stage, top: float, *, snowy: bool) -> None:
    x, drop, unit = stage.width / 2, stage.height - top, stage.unit
    tone: Rgb = (226, 234, 244) if snowy else (196, 172, 124)
    bends = ((0.05, 0.0), (0.0, 0.06), (-0.07, 0.2), (0.04, 0.5), (0.0, 1.05))
    spine = [(x + dx * unit, top + dy * drop) for dx, dy in bends]
    widths = [unit * wide for wide in (0.025, 0.04, 0.09, 0.2, 0.4)]
    band = lane(spine, widths)
    stage.canvas.shape(band, stage.lit(lighter(tone, 0.25)), to=stage.lit(tone), alpha=0.9)


def _shafts(stage: Stage) -> None:
    chance, unit = stage.branch(), stage.unit
    for _ in range(7):
        x = stage.sun_x + float(chance.uniform(-0.3, 0.3)) * unit
        wide = unit * float(chance.uniform(0.02, 0.06))
        slip = (stage.width / 2 - stage.sun_x) * 0.9 + float(chance.uniform(-0.2, 0.2)) * unit
        shaft = curves.polygon(
            (x, 0),
            (x + wide, 0),
            (x + slip + wide * 3.2, stage.height * 0.84),
            (x + slip, stage.height * 0.84),
        )
        stage.canvas.shape(
            shaft, lighter(stage.light.sun, 0.4), alpha=0.13 if not stage.light.is_dark else 0.04
        )


def _trunk(stage: Stage, x: float, y: float, wide: float, *, snowy: bool) -> None:
    chance, canvas = stage.branch(), stage.canvas
    bark: Rgb = (84, 62, 50)
    body = curves.ribbon(
        [(x + wide * 0.2, -wide), (x, y * 0.5), (x, y * 0.86), (x - wide * 0.1, y)],
        [wide * 0.7, wide * 0.86, wide, wide * 1.7],
    )
    canvas.shape(body, stage.lit(darker(bark, 0.1)), to=stage.lit(bark))
    edge = 1.0 if stage.sun_x > x else -1.0
    lit = curves.ribbon(
        [
            (x + wide * (0.2 + edge * 0.28), 0),
            (x + edge * wide * 0.36, y * 0.5),
            (x + edge * wide * 0.42, y * 0.9),
        ],
        [wide * 0.12, wide * 0.16],
    )
    canvas.shape(lit, mix(stage.lit(lighter(bark, 0.4)), stage.light.sun, 0.3), alpha=0.6)
    for _ in range(16):
        my = float(chance.random()) * y * 0.9
        mx = x + float(chance.uniform(-0.35, 0.3)) * wide
        line = curves.polygon(
            (mx, my), (mx + wide * 0.03, my + wide * float(chance.uniform(0.4, 1.1)))
        )
        canvas.stroke(line, stage.lit(darker(bark, 0.5)), wide * 0.04, alpha=0.6)
    if snowy:
        drift = curves.oval(x, y + wide * 0.1, wide * 1.3, wide * 0.3)
        canvas.shape(drift, stage.lit((246, 248, 252)))


def _fern(stage: Stage, x: float, y: float, size: float, tone: Rgb) -> None:
    for turn in (-1.0, -0.5, 0.0, 0.5, 1.0):
        tip = (x + math.sin(turn) * size, y - math.cos(turn) * size * 0.9)
        middle = ((x + tip[0]) / 2, (y + tip[1]) / 2 - size * 0.2)
        blade = curves.ribbon([(x, y), middle, tip], [size * 0.05, size * 0.14, 0.0])
        stage.canvas.shape(blade, stage.lit(lighter(tone, 0.08)), to=stage.lit(darker(tone, 0.4)))
