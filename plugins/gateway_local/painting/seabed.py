"""Deep water: rays of light, sand, weed and corals."""

import math

import numpy as np

from gateway_local.painting import curves, noise
from gateway_local.painting.animals import fish
from gateway_local.painting.chance import coin
from gateway_local.painting.colours import darker, from_hue, lighter, mix
from gateway_local.painting.stage import Stage, gradient


def seabed(stage: Stage) -> None:
    """Paint deep water with rays of light, sand, weed and corals."""
    canvas, chance, unit = stage.canvas, stage.branch(), stage.unit
    rows, columns = max(2, stage.height // 2), max(2, stage.width // 2)
    stops = ((0.0, (112, 214, 226)), (0.4, (36, 138, 186)), (1.0, (10, 54, 104)))
    colours = np.broadcast_to(gradient(stops, rows), (rows, columns, 3)).copy()
    y, x = np.ogrid[0:rows, 0:columns]
    lane = noise.profile(chance, columns + rows, cell=columns / 7, octaves=3)
    slant = np.clip((x + y * 0.35).astype(int), 0, columns + rows - 1)
    rays = np.clip(lane[slant], 0, 1) * (1 - y / rows) ** 1.4
    colours += rays[:, :, None] * np.array((90, 90, 70))
    canvas.field(colours)
    sand_y = stage.height * 0.86
    rise = noise.profile(chance, columns, cell=columns / 3, octaves=3) * unit * 0.02
    edge = np.stack([np.linspace(0, stage.width, columns), sand_y + rise], axis=1)
    ground = np.concatenate([edge, curves.polygon((stage.width, stage.height), (0, stage.height))])
    canvas.shape(ground, (206, 190, 140), to=(120, 124, 112))
    for _ in range(int(9 * stage.width / unit)):
        _weed(stage, float(chance.uniform(0, stage.width)), sand_y + unit * 0.05)
    for _ in range(int(5 * stage.width / unit)):
        _coral(stage, float(chance.uniform(0, stage.width)), sand_y + unit * 0.06)
    for _ in range(26):
        bx, by = (
            float(chance.uniform(0, stage.width)),
            float(chance.uniform(0.05, 0.85)) * stage.height,
        )
        radius = unit * float(chance.uniform(0.003, 0.011))
        canvas.shape(curves.oval(bx, by, radius), (214, 244, 250), alpha=0.4)
        canvas.dots(
            np.array([(bx - radius * 0.3, by - radius * 0.3)]), (255, 255, 255), radius * 0.3
        )
    if not stage.scene.has("fish", "whale"):
        for _ in range(5):
            fx, fy = (
                float(chance.uniform(0.15, 0.85)) * stage.width,
                float(chance.uniform(0.2, 0.7)) * stage.height,
            )
            fish(
                stage,
                fx,
                fy,
                unit * float(chance.uniform(0.07, 0.16)),
                None,
                flip=coin(chance),
            )


def _weed(stage: Stage, x: float, y: float) -> None:
    chance = stage.branch()
    long = stage.unit * float(chance.uniform(0.12, 0.34))
    sway = float(chance.uniform(-1, 1)) * long * 0.12
    spine = [
        (x + sway * math.sin(part * 7), y - long * part) for part in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    tone = mix((30, 110, 84), (110, 150, 60), float(chance.random()))
    band = curves.ribbon(spine, [stage.unit * 0.014, stage.unit * 0.024, stage.unit * 0.016, 0.0])
    stage.canvas.shape(band, lighter(tone, 0.1), to=darker(tone, 0.3))


def _coral(stage: Stage, x: float, y: float) -> None:
    chance = stage.branch()
    tone = from_hue(float(chance.choice([0.95, 0.04, 0.08, 0.8])), 0.62, 0.9)
    size = stage.unit * float(chance.uniform(0.06, 0.13))
    arms = []
    for turn in np.linspace(-0.9, 0.9, 6).tolist():
        long = size * float(chance.uniform(0.7, 1.1))
        tip = (x + math.sin(turn) * long, y - math.cos(turn) * long)
        arms += [
            curves.ribbon(
                [(x, y), ((x + tip[0]) / 2 + turn * 3, (y + tip[1]) / 2), tip],
                [size * 0.2, size * 0.14, size * 0.1],
            ),
            curves.oval(*tip, size * 0.07),
        ]
    stage.canvas.shape(arms, lighter(tone, 0.2), to=darker(tone, 0.25))
