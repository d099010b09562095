"""What falls and drifts before everything else: rain, snow and fog."""

import numpy as np

from gateway_local.painting import noise, sky
from gateway_local.painting.curves import polygon
from gateway_local.painting.stage import Stage


def paint_weather(stage: Stage) -> None:
    """Lay the scene's weather over the picture."""
    match stage.scene.weather:
        case "rain":
            rain(stage, 420)
        case "storm":
            sky.lightning(stage)
            rain(stage, 560)
        case "snow":
            snowfall(stage)
        case "fog":
            fog(stage)
        case _:
            return


def rain(stage: Stage, count: int) -> None:
    """Draw slanting streaks and the rings that drops make on the ground."""
    chance, unit = stage.branch(), stage.unit
    count = int(min(2000, count * stage.width * stage.height / unit**2))
    near = chance.random(count)
    xs = chance.uniform(-0.1, 1.1, count) * stage.width
    ys = chance.uniform(-0.1, 1.0, count) * stage.height
    for x, y, part in zip(xs.tolist(), ys.tolist(), near.tolist(), strict=True):
        long = unit * (0.02 + 0.05 * part)
        streak = polygon((x, y), (x - long * 0.22, y + long))
        stage.canvas.stroke(
            streak, (222, 232, 242), unit * (0.001 + 0.0016 * part), alpha=0.3 + 0.25 * part
        )
    for _ in range(60):
        x, y = float(chance.uniform(0, stage.width)), stage.ground(float(chance.uniform(0.3, 1.0)))
        angles = np.linspace(0, 2 * np.pi, 17)
        size = unit * float(chance.uniform(0.006, 0.014))
        ring = np.stack([x + np.cos(angles) * size, y + np.sin(angles) * size * 0.3], axis=1)
        stage.canvas.stroke(ring, (230, 240, 248), unit * 0.0014, alpha=0.4)


def snowfall(stage: Stage) -> None:
    """Draw flakes, some of them near and soft."""
    chance, unit = stage.branch(), stage.unit
    area = stage.width * stage.height / unit**2
    for count, radius, alpha in ((240, 0.0016, 0.8), (130, 0.0028, 0.85), (40, 0.005, 0.7)):
        number = int(min(1600, count * area))
        at = chance.random((number, 2)) * (stage.width, stage.height)
        stage.canvas.dots(at, (255, 255, 255), unit * radius, alpha=alpha)
    for _ in range(int(min(60, 14 * area))):
        x, y = float(chance.uniform(0, stage.width)), float(chance.uniform(0, stage.height))
        stage.canvas.glow(x, y, unit * float(chance.uniform(0.012, 0.024)), (255, 255, 255), 0.7)


def fog(stage: Stage) -> None:
    """Lay banks of mist, thickest along the horizon."""
    chance = stage.branch()
    rows, columns = max(2, stage.height // 4), max(2, stage.width // 4)
    size = stage.unit / 4
    banks = noise.clouds(chance, columns, rows, cell=(size * 0.9, size * 0.22), octaves=4)
    y = np.linspace(0, 1, rows)[:, None]
    middle = stage.horizon / stage.height
    thick = np.exp(-(((y - middle) / 0.3) ** 2)) * 0.78 + 0.16
    colour = np.array(stage.light.haze, dtype=float) * 0.6 + 100
    colours = np.broadcast_to(colour, (rows, columns, 3))
    stage.canvas.field(colours, alpha=np.clip(thick * (0.45 + 0.9 * banks), 0, 0.92))
