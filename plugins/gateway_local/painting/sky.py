"""The sky: its gradient, clouds, sun, moon, stars and what shines in it."""

import math

import numpy as np

from gateway_local.painting import curves, noise
from gateway_local.painting.colours import from_hue, lighter, mix
from gateway_local.painting.cosmos import planets
from gateway_local.painting.curves import Points
from gateway_local.painting.noise import Floats
from gateway_local.painting.stage import Stage, gradient

_BROAD = frozenset({"watercolour", "oil", "pastel", "cartoon", "poster", "lowpoly"})
_HEAVY = 0.7
_SUNNY = frozenset({"dawn", "day", "sunset"})
_COARSE = 2  # Skies are soft: half the pixels do.
_MAGNITUDES = ((0, 4, 0.5, 0.5), (1, 4, 0.7, 0.75), (2, 4, 1.0, 0.9), (3, 24, 1.5, 1.0))
"""Stars: first, every so many, radius at 768 pixels, opacity."""


def paint_sky(stage: Stage) -> None:
    """Paint everything above the horizon, and a little below it, where ground may be uneven."""
    bottom = min(float(stage.height), stage.horizon + stage.unit * 0.08)
    rows, columns = max(2, math.ceil(bottom / _COARSE)), max(2, math.ceil(stage.width / _COARSE))
    colours = np.broadcast_to(gradient(stage.light.sky, rows), (rows, columns, 3)).copy()
    if stage.light.has_sun:
        _warm(stage, colours)
    stage.canvas.field(colours, bottom=bottom)
    if stage.light.is_dark or stage.scene.has("stars"):
        _stars(stage)
    if stage.scene.has("aurora"):
        _aurora(stage)
    _lights(stage)
    if stage.light.cover > 0:
        _clouds(stage, rows, columns, bottom)
    if stage.scene.has("rainbow"):
        _rainbow(stage)


def _warm(stage: Stage, colours: Floats) -> None:
    """Let the sky near the sun take its colour."""
    rows, columns = colours.shape[:2]
    y, x = np.ogrid[0:rows, 0:columns]
    reach = stage.unit * 0.55 / _COARSE
    away = ((x - stage.sun_x / _COARSE) ** 2 + 1.6 * (y - stage.sun_y / _COARSE) ** 2) / reach**2
    share = (0.6 * np.exp(-away))[:, :, None]
    colours += (np.array(stage.light.sun) - colours) * share


def _stars(stage: Stage) -> None:
    chance = stage.branch()
    fullness = 2.2 if stage.scene.has("stars", "space") or "starry" in stage.scene.prompt else 1.0
    count = int(min(1400, 260 * fullness * stage.width * stage.horizon / stage.unit**2))
    at = chance.random((count, 2)) * (stage.width, stage.horizon)
    at[:, 1] *= at[:, 1] / stage.horizon * 0.3 + 0.7
    size = stage.unit / 768
    if stage.scene.style in _BROAD:  # Brushes would wipe out small ones.
        stage.canvas.dots(at[::9], (250, 246, 226), size * 8)
        return
    for first, step, radius, alpha in _MAGNITUDES:
        some = at[first::step]
        stage.canvas.dots(some, (240, 244, 255), radius * size, alpha=alpha)
    for x, y in at[: max(3, len(at) // 40)].tolist():
        stage.canvas.glow(x, y, size * float(chance.uniform(4, 9)), (220, 230, 255), 0.5)


def _lights(stage: Stage) -> None:
    scene, light, canvas, unit = stage.scene, stage.light, stage.canvas, stage.unit
    x, y = stage.sun_x, stage.sun_y
    asks_moon = scene.has("moon", "crescent")
    if not light.is_dark and (scene.has("sun") or (light.has_sun and scene.time in _SUNNY)):
        size = unit * (0.062 if scene.time == "sunset" else 0.046)
        sun = scene.first("sun")
        colour = light.sun if sun is None or sun.colour is None else sun.colour
        strength = 1.0 if light.has_sun else 0.6
        canvas.glow(x, y, size * 6.5, colour, 0.55 * strength)
        canvas.glow(x, y, size * 2.6, lighter(colour, 0.4), 0.8 * strength)
        canvas.shape(curves.oval(x, y, size), lighter(colour, 0.55), to=colour, alpha=strength)
        if asks_moon:
            _moon(stage, stage.width - x, max(unit * 0.1, y - unit * 0.2))
    elif asks_moon or (light.is_dark and scene.style != "neon"):
        _moon(stage, x, y)
    elif scene.style == "neon":
        _neon_sun(stage)
    comets(stage)
    worlds = scene.first("planet")
    if worlds is not None:
        planets(stage, worlds.count, worlds.word, worlds.colour, reach=stage.horizon * 0.9)


def comets(stage: Stage) -> None:
    """Draw the shooting stars that the scene asks for."""
    comet, chance = stage.scene.first("comet"), stage.branch()
    for _ in range(comet.count if comet else 0):
        _comet(
            stage,
            float(chance.uniform(0.1, 0.7)) * stage.width,
            float(chance.uniform(0.06, 0.5)) * stage.horizon,
        )


def _moon(stage: Stage, x: float, y: float) -> None:
    canvas, size = stage.canvas, stage.unit * 0.05
    asked = stage.scene.first("moon") or stage.scene.first("crescent")
    pale = stage.light.sun if asked is None or asked.colour is None else asked.colour
    if asked is not None and asked.size == "large":
        size *= 1.9
    canvas.glow(x, y, size * 5, pale, 0.34)
    canvas.glow(x, y, size * 2, pale, 0.5)
    if stage.scene.has("crescent"):
        angles = np.linspace(-math.pi / 2, math.pi / 2, 40)
        outer = np.stack([np.cos(angles), np.sin(angles)], axis=1) * size
        inner = np.stack([np.cos(angles) * 0.45, np.sin(angles)], axis=1)[::-1] * size
        crescent = curves.turned(np.concatenate([outer, inner]), -0.5)
        canvas.shape(curves.moved(crescent, x, y), lighter(pale, 0.3), to=pale)
        return
    canvas.shape(curves.oval(x, y, size), lighter(pale, 0.5), to=pale)
    shade = mix(pale, stage.light.sky[0][1], 0.2)
    for dx, dy, radius in [
        (-0.3, -0.25, 0.26),
        (0.25, 0.1, 0.2),
        (-0.1, 0.42, 0.16),
        (0.4, -0.4, 0.1),
    ]:
        spot = curves.oval(x + dx * size, y + dy * size, radius * size)
        canvas.shape(spot, shade, alpha=0.5)


def _neon_sun(stage: Stage) -> None:
    """The striped sun of the eighties."""
    x, y, size = stage.sun_x, stage.sun_y, stage.unit * 0.17
    stage.canvas.glow(x, y, size * 2.2, (255, 70, 170), 0.7)
    top = y - size
    edges = [0.0, 1.02, 1.12, 1.24, 1.36, 1.5, 1.64, 1.8]
    for first, last in zip(edges, [*edges[1:], 2.0], strict=True):
        ys = np.linspace(first, last - 0.05, 18)
        half = np.sqrt(np.maximum(0.0, 1 - (ys - 1) ** 2))
        right = np.stack([x + half * size, top + ys * size], axis=1)
        left = np.stack([x - half * size, top + ys * size], axis=1)[::-1]
        share = (first + last) / 4
        colour = mix((255, 226, 96), (255, 48, 150), share)
        stage.canvas.shape(np.concatenate([right, left]), colour)


def _comet(stage: Stage, x: float, y: float) -> None:
    length = stage.unit * 0.16
    tail = curves.ribbon([(x, y), (x + length, y - length * 0.5)], [stage.unit * 0.006, 0.0])
    stage.canvas.shape(tail, (230, 240, 255), alpha=0.7)
    stage.canvas.glow(x, y, stage.unit * 0.025, (235, 245, 255), 0.9)
    stage.canvas.dots(np.array([(x, y)]), (255, 255, 255), stage.unit * 0.004)


def _clouds(stage: Stage, rows: int, columns: int, bottom: float) -> None:
    """Banks of noise: finer and flatter towards the horizon, lit from where the sun is."""
    light, chance = stage.light, stage.branch()
    size = stage.unit / _COARSE
    place = np.linspace(0.0, 1.0, rows)
    high = noise.clouds(
        chance, columns, rows, cell=(size * 0.6, size * 0.26), octaves=5, rough=0.52
    )
    low = noise.clouds(chance, columns, rows, cell=(size * 0.5, size * 0.09), octaves=4, rough=0.5)
    near = noise.ease(place, 0.3, 0.85)[:, None]
    grown = high + (low - high) * near
    edge = 0.78 - 0.5 * light.cover
    alpha = noise.ease(grown, edge, edge + 0.26)
    step = max(1, round(size * 0.02))
    overhead = np.concatenate([np.repeat(grown[:1], step, axis=0), grown[:-step]])
    lit = np.clip(0.62 + (grown - overhead) * 3.4 - (grown - edge) * 0.5, 0, 1)[:, :, None]
    colours = np.array(light.cloud_shade) + lit * (
        np.array(light.cloud_lit, dtype=float) - np.array(light.cloud_shade)
    )
    fade = 1 - 0.55 * place[:, None] if light.cover < _HEAVY else 1 - 0.3 * place[:, None]
    stage.canvas.field(colours, bottom=bottom, alpha=alpha * fade * 0.92)


def _rainbow(stage: Stage) -> None:
    radius = min(stage.width * 0.46, stage.horizon * 1.1)
    x, y = stage.width * 0.5, stage.horizon + radius * 0.08
    angles = np.linspace(math.pi, 2 * math.pi, 90)
    for ring in range(14):
        part = ring / 13
        size = radius * (1 - 0.1 * part)
        arc = np.stack([x + np.cos(angles) * size, y + np.sin(angles) * size], axis=1)
        colour = from_hue(part * 0.78, 0.75, 1.0)
        stage.canvas.stroke(arc, colour, radius * 0.0105, alpha=0.45)


def _aurora(stage: Stage) -> None:
    """Curtains of light that hang from wavering lines."""
    chance = stage.branch()
    rows = max(2, math.ceil(stage.horizon / _COARSE))
    columns = max(2, math.ceil(stage.width / _COARSE))
    y = np.arange(rows)[:, None] / rows
    for curtain in range(3):
        wave = noise.profile(chance, columns, cell=columns / 2.2, octaves=3)
        foot = 0.42 + 0.16 * curtain + 0.14 * wave[None, :]
        rays = 0.55 + 0.45 * noise.profile(chance, columns, cell=columns / 26, octaves=3)[None, :]
        up = (foot - y) / (0.26 + 0.12 * rays)
        alpha = np.where(up > 0, np.exp(-2.6 * up), np.exp(up * 26)) * np.clip(rays, 0.1, 1)
        green = np.array((96, 255, 168) if curtain != 1 else (70, 240, 220), dtype=float)
        purple = np.array((170, 90, 240), dtype=float)
        share = np.clip(up * 1.1, 0, 1)[:, :, None]
        colours = green + (purple - green) * share
        stage.canvas.field(colours, bottom=stage.horizon, alpha=np.clip(alpha * 0.62, 0, 1))


def lightning(stage: Stage) -> None:
    """Draw a forked bolt from the clouds to the horizon."""
    chance = stage.branch()
    x = stage.width * float(chance.uniform(0.25, 0.75))
    bolt = _bolt(stage, x, stage.height * 0.04, stage.horizon)
    stage.canvas.glow(x, stage.horizon * 0.4, stage.unit * 0.5, (210, 220, 255), 0.4)
    for width, colour, alpha in [(0.012, (170, 190, 255), 0.4), (0.004, (255, 255, 255), 1.0)]:
        stage.canvas.stroke(bolt, colour, stage.unit * width, alpha=alpha)
    fork = bolt[len(bolt) // 3]
    branch = _bolt(stage, fork[0], fork[1], stage.horizon * 0.86)
    branch[:, 0] += (branch[:, 1] - fork[1]) * 0.45
    stage.canvas.stroke(branch, (235, 240, 255), stage.unit * 0.0028)


def _bolt(stage: Stage, x: float, top: float, bottom: float) -> Points:
    chance = stage.branch()
    steps = 14
    ys = np.linspace(top, bottom, steps)
    drift = np.cumsum(chance.uniform(-1, 1, steps)) * stage.unit * 0.028
    return np.stack([x + drift - drift[0], ys], axis=1)
