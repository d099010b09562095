"""Outer space: nebulas, stars and planets."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from gateway_local.painting import curves, noise
from gateway_local.painting.chance import Generator, coin
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.stage import Stage

_WORLDS: tuple[Rgb, ...] = (
    (226, 150, 86),
    (90, 150, 214),
    (206, 92, 66),
    (138, 198, 176),
    (186, 140, 206),
    (232, 206, 150),
)
_NEBULAS: tuple[tuple[Rgb, Rgb], ...] = (
    ((112, 50, 160), (30, 92, 176)),
    ((160, 44, 120), (56, 60, 170)),
    ((24, 110, 150), (70, 50, 150)),
    ((176, 80, 70), (84, 44, 130)),
)
_DETAIL = 200  # Planets are soft balls: they are shaded this large at most, and stretched.


@dataclass(frozen=True, slots=True)
class _Ball:
    x: float
    y: float
    radius: float
    colour: Rgb


def paint_space(stage: Stage) -> None:
    """Fill the whole picture with dark, two nebulas and stars."""
    chance = stage.branch()
    rows, columns = max(2, stage.height // 2), max(2, stage.width // 2)
    size = stage.unit / 2
    one, other = _NEBULAS[int(chance.integers(len(_NEBULAS)))]
    if stage.scene.tint is not None:
        one, other = stage.scene.tint, darker(stage.scene.tint, 0.4)
    colours = np.empty((rows, columns, 3))
    colours[:] = (8, 8, 26)
    for tone, cell in ((one, 0.8), (other, 0.6)):
        veil = noise.clouds(
            chance, columns, rows, cell=(size * cell, size * cell), octaves=5, rough=0.55
        )
        share = noise.ease(veil, 0.4, 0.95)[:, :, None] * 0.75
        colours += (np.array(tone) - colours) * share
    dust = noise.clouds(chance, columns, rows, cell=(size * 0.4, size * 0.3), octaves=4, rough=0.6)
    colours *= 1 - 0.55 * noise.ease(dust, 0.5, 0.85)[:, :, None]
    stage.canvas.field(colours)
    count = int(min(1600, 420 * stage.width * stage.height / stage.unit**2))
    at = chance.random((count, 2)) * (stage.width, stage.height)
    for first, (radius, alpha) in enumerate([(0.5, 0.55), (0.7, 0.8), (1.0, 1.0)]):
        stage.canvas.dots(at[first::3], (244, 246, 255), radius * stage.unit / 768, alpha=alpha)
    for x, y in at[: max(4, count // 30)].tolist():
        reach = stage.unit * float(chance.uniform(0.006, 0.016))
        stage.canvas.glow(x, y, reach * 1.6, (214, 226, 255), 0.7)
        for dx, dy in ((reach, 0.0), (0.0, reach)):
            ray = curves.polygon((x - dx, y - dy), (x + dx, y + dy))
            stage.canvas.stroke(ray, (250, 252, 255), stage.unit * 0.0012, alpha=0.6)


def planets(
    stage: Stage, count: int, word: str, colour: Rgb | None, *, reach: float | None = None
) -> None:
    """Draw `count` planets around the edges, the first one the largest, down to `reach`."""
    high = stage.height if reach is None else reach
    chance = stage.branch()
    spots = [(0.8, 0.24), (0.16, 0.7), (0.16, 0.2), (0.84, 0.76), (0.5, 0.1), (0.5, 0.9)]
    order = chance.permutation(len(_WORLDS))
    flip = coin(chance)
    for number in range(count):
        px, py = spots[number % len(spots)]
        lap = number // len(spots)
        px = (1 - px if flip else px) + 0.1 * lap + float(chance.uniform(-0.03, 0.03))
        radius = stage.unit * (0.17, 0.1, 0.065, 0.085, 0.05, 0.05)[number % 6] / (1 + 0.4 * lap)
        tone = colour or _WORLDS[int(order[number % len(_WORLDS)])]
        has_ring = (number == 0 and word not in {"earth", "mars", "venus"}) or word == "saturn"
        y = py * high
        planet(stage, px * stage.width, y, radius, tone, has_ring=has_ring, word=word)


def planet(
    stage: Stage, x: float, y: float, radius: float, colour: Rgb, *, has_ring: bool, word: str
) -> None:
    """Draw a planet around (x, y): bands or land under the light of a sun at the upper left."""
    canvas, chance = stage.canvas, stage.branch()
    ball = _Ball(x, y, radius, colour)
    canvas.glow(x, y, radius * 1.7, lighter(colour, 0.3), 0.4)
    rings = ((1.95, 0.1), (1.72, 0.14), (1.5, 0.08)) if has_ring else ()
    for reach, wide in rings:
        _ring(stage, ball, reach, wide, is_front=False)
    pixels = int(np.clip(radius * 2 * 1.5, 24, _DETAIL))
    canvas.stamp(
        _shaded(chance, pixels, colour, word), x - radius, y - radius, (radius * 2, radius * 2)
    )
    for reach, wide in rings:
        _ring(stage, ball, reach, wide, is_front=True)


def _shaded(chance: Generator, pixels: int, colour: Rgb, word: str) -> Image.Image:
    place = (np.arange(pixels) + 0.5) / pixels * 2 - 1
    x, y = place[None, :], place[:, None]
    inside = x**2 + y**2
    z = np.sqrt(np.clip(1 - inside, 0, 1))
    texture = noise.clouds(chance, pixels, pixels, cell=(pixels / 3, pixels / 3), octaves=4)
    if word in {"earth", "mars", "venus", "pluto"}:
        share = noise.ease(texture, 0.48, 0.56)
        land = (86, 150, 84) if word == "earth" else darker(colour, 0.34)
        base = (52, 116, 196) if word == "earth" else colour
    else:
        bands = np.sin((y + (texture - 0.5) * 0.16 + 0.12 * x) * 11 + float(chance.uniform(0, 6)))
        share, land, base = (bands + 1) / 2, lighter(colour, 0.42), darker(colour, 0.12)
    tone = np.array(base) + (np.array(land) - np.array(base, dtype=float)) * share[:, :, None]
    light = np.clip(-0.55 * x - 0.5 * y + 0.67 * z, 0, 1)[:, :, None]
    rim = (np.clip(1 - z, 0, 1) ** 3 * np.clip(light[:, :, 0], 0.1, 1))[:, :, None]
    shaded = tone * (0.12 + 1.0 * light) + np.array((20, 24, 60)) * (1 - light) + 70 * rim
    alpha = np.clip((1 - np.sqrt(inside)) * pixels / 2, 0, 1)
    pixels_out = np.concatenate([np.clip(shaded, 0, 255), alpha[:, :, None] * 255], axis=2)
    return Image.fromarray(pixels_out.astype(np.uint8), "RGBA")


def _ring(stage: Stage, ball: _Ball, reach: float, wide: float, *, is_front: bool) -> None:
    x, y, radius, colour = ball.x, ball.y, ball.radius, ball.colour
    angles = np.linspace(0.0, np.pi, 50) if is_front else np.linspace(np.pi, 2 * np.pi, 50)
    outer = np.stack([np.cos(angles) * reach, np.sin(angles) * reach * 0.26], axis=1)
    inner = outer * ((reach - wide) / reach)
    band = curves.moved(curves.turned(np.concatenate([outer, inner[::-1]]) * radius, -0.32), x, y)
    tone = mix(lighter(colour, 0.5), (250, 236, 214), 0.4)
    stage.canvas.shape(band, tone if is_front else darker(tone, 0.35), alpha=0.9)
