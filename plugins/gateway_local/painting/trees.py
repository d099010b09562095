"""Trees and bushes: several kinds, each grown anew by chance."""

import math
from dataclasses import dataclass

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.chance import Generator, coin
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.curves import Points
from gateway_local.painting.stage import Stage

_BARK: Rgb = (104, 76, 56)
_SNOW: Rgb = (246, 248, 252)
_AUTUMN: tuple[Rgb, ...] = ((206, 104, 40), (222, 156, 48), (184, 64, 44), (198, 132, 52))

_SHADED, _LIT, _BRIGHT = -0.25, 0.1, 0.5  # How far a tuft faces the sun.


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where something grows, how large and how far away, and the chance that is its own."""

    chance: Generator
    x: float
    y: float
    size: float
    distance: float


def tree(
    stage: Stage,
    kind: str,
    x: float,
    y: float,
    size: float,
    *,
    colour: Rgb | None = None,
    distance: float = 0.0,
    chance: Generator | None = None,
) -> None:
    """Draw a tree of `kind` that is `size` pixels tall and stands at (x, y)."""
    chance = stage.branch() if chance is None else chance
    season = stage.scene.season
    spot = _Spot(chance, x, y, size, distance)
    if kind == "pine":
        _pine(stage, spot, colour or (44, 92, 66))
    elif kind == "palm":
        _palm(stage, spot, colour or (62, 132, 70))
    elif kind == "bush":
        crown = _Spot(chance, x, y - size * 0.4, size * 0.6, distance)
        _crown(stage, crown, colour or (86, 134, 66))
    elif season == "winter" and kind != "blossom":
        _bare(stage, spot)
    else:
        leaf = colour or _leaf(kind, season, chance)
        _leafy(stage, spot, leaf, is_birch=kind == "birch")


def _leaf(kind: str, season: str | None, chance: Generator) -> Rgb:
    if kind == "blossom" or (season == "spring" and coin(chance, 0.3)):
        return (244, 172, 194)
    if season == "autumn":
        return _AUTUMN[int(chance.integers(len(_AUTUMN)))]
    if kind == "birch":
        return (150, 178, 78)
    return mix((74, 128, 58), (112, 152, 66), float(chance.random()))


def _pine(stage: Stage, spot: _Spot, colour: Rgb) -> None:
    chance, x, y, size, distance = spot.chance, spot.x, spot.y, spot.size, spot.distance
    canvas = stage.canvas
    if size < stage.unit * 0.07:
        cone = curves.polygon((x, y - size), (x + size * 0.2, y), (x - size * 0.2, y))
        canvas.shape(
            cone, stage.lit(lighter(colour, 0.1), distance), to=stage.lit(colour, distance)
        )
        return
    trunk = curves.box(x - size * 0.022, y - size * 0.14, x + size * 0.022, y)
    canvas.shape(trunk, stage.lit(_BARK, distance))
    tiers = 7
    snowy = stage.scene.weather == "snow" or stage.scene.season == "winter"
    for tier in range(tiers):
        part = tier / (tiers - 1)
        foot = y - size * (0.1 + 0.68 * part)
        tip = min(foot - size * (0.3 - 0.1 * part), y - size * (0.36 + 0.64 * part))
        half = size * (0.25 - 0.19 * part) * float(chance.uniform(0.92, 1.08))
        skirt = _skirt(chance, x, foot, tip, half)
        tone = stage.lit(lighter(colour, 0.05 + 0.1 * part), distance)
        canvas.shape(skirt, tone, to=stage.lit(darker(colour, 0.32), distance))
        if snowy:
            cap = curves.polygon(
                (x, tip),
                (x + half * 0.62, foot - size * 0.05),
                (x + half * 0.25, foot - size * 0.075),
                (x - half * 0.1, foot - size * 0.045),
                (x - half * 0.36, foot - size * 0.07),
                (x - half * 0.66, foot - size * 0.04),
            )
            canvas.shape(cap, stage.lit(_SNOW, distance), to=stage.lit((206, 220, 238), distance))


def _skirt(chance: Generator, x: float, foot: float, tip: float, half: float) -> Points:
    teeth = 9
    places = np.linspace(1.0, -1.0, teeth)
    drop = np.where(np.arange(teeth) % 2 == 0, 0.0, -0.12) * (foot - tip)
    sag = (1 - places**2) * (foot - tip) * 0.14
    jitter = chance.uniform(-0.04, 0.04, teeth) * half
    rim = np.stack([x + places * half + jitter, foot + drop + sag], axis=1)
    bend = (foot - tip) * 0.42
    return np.concatenate(
        [
            curves.polygon((x, tip), (x + half * 0.34, foot - bend)),
            rim,
            curves.polygon((x - half * 0.34, foot - bend)),
        ]
    )


def _leafy(stage: Stage, spot: _Spot, leaf: Rgb, *, is_birch: bool) -> None:
    chance, x, y, size, distance = spot.chance, spot.x, spot.y, spot.size, spot.distance
    canvas = stage.canvas
    bark = (224, 220, 208) if is_birch else _BARK
    dark, pale = stage.lit(darker(bark, 0.25), distance), stage.lit(bark, distance)
    lean = float(chance.uniform(-0.04, 0.04)) * size
    top = (x + lean, y - size * 0.55)
    wide = size * (0.045 if is_birch else 0.075)
    trunk = curves.ribbon(
        [(x, y), (x + lean * 0.3, y - size * 0.25), top], [wide * 1.5, wide, wide * 0.6]
    )
    canvas.shape(trunk, pale, to=dark)
    for side in (-1.0, 1.0):
        bough = [
            (x + lean * 0.4, y - size * 0.32),
            (x + side * size * 0.1, y - size * 0.46),
            (x + side * size * 0.18, y - size * 0.6),
        ]
        canvas.shape(curves.ribbon(bough, [wide * 0.6, wide * 0.2]), dark)
    if is_birch:
        for mark in range(6):
            my = y - size * (0.05 + 0.08 * mark)
            band = curves.box(
                x - wide * 0.5, my, x + wide * float(chance.uniform(-0.2, 0.4)), my + 2
            )
            canvas.shape(band, stage.lit((60, 56, 54), distance), alpha=0.8)
    _crown(stage, _Spot(chance, x + lean, y - size * 0.66, size * 0.36, distance), leaf)


def _crown(stage: Stage, spot: _Spot, leaf: Rgb) -> None:
    """Draw foliage around the spot, its size the radius: discs in shade, discs in light, tufts."""
    chance, x, y, radius, distance = spot.chance, spot.x, spot.y, spot.size, spot.distance
    count = 13 if radius > stage.unit * 0.03 else 7
    angles = np.linspace(0, 2 * math.pi, count, endpoint=False) + chance.uniform(-0.3, 0.3, count)
    away = radius * chance.uniform(0.45, 0.78, count)
    size = radius * chance.uniform(0.36, 0.52, count)
    xs, ys = x + np.cos(angles) * away, y + np.sin(angles) * away * 0.82
    side = 1.0 if stage.sun_x >= stage.width / 2 else -1.0
    discs = list(zip(xs.tolist(), ys.tolist(), size.tolist(), strict=True))
    for tone, shift, share in ((darker(leaf, 0.36), 0.0, 1.0), (leaf, 0.14, 0.84)):
        union = [
            curves.oval(cx + side * shift * r, cy - shift * r * 1.3, r * share)
            for cx, cy, r in discs
        ]
        union.append(curves.oval(x + side * shift * radius, y - shift * radius, radius * 0.6))
        bottom = stage.lit(darker(tone, 0.2), distance)
        stage.canvas.shape(union, stage.lit(tone, distance), to=bottom)
        if stage.canvas.is_outline:
            return
    _leaves(stage, spot, leaf)


def _leaves(stage: Stage, spot: _Spot, leaf: Rgb) -> None:
    """Dapple a crown: tufts that are bright where the sun meets them and dark below."""
    chance, radius = spot.chance, spot.size
    side = 1.0 if stage.sun_x >= stage.width / 2 else -1.0
    sun = mix(lighter(leaf, 0.24), stage.light.sun, 0.25)
    count = int(np.clip(radius / stage.unit * 700, 16, 90))
    angles, away = chance.uniform(0, 2 * math.pi, count), np.sqrt(chance.random(count)) * 0.95
    dx, dy = np.cos(angles) * away, np.sin(angles) * away * 0.82
    facing = dx * side * 0.6 - dy + chance.normal(0, 0.25, count)
    for tone, chosen in (
        (darker(leaf, 0.26), facing < _SHADED),
        (lighter(leaf, 0.1), (facing >= _LIT) & (facing < _BRIGHT)),
        (sun, facing >= _BRIGHT),
    ):
        tufts = [
            curves.oval(spot.x + cx * radius, spot.y + cy * radius, radius * r, radius * r * 0.7)
            for cx, cy, r in zip(
                dx[chosen].tolist(),
                dy[chosen].tolist(),
                chance.uniform(0.06, 0.13, int(chosen.sum())).tolist(),
                strict=True,
            )
        ]
        stage.canvas.shape(tufts, stage.lit(tone, spot.distance))


def _palm(stage: Stage, spot: _Spot, colour: Rgb) -> None:
    chance, x, y, size, distance = spot.chance, spot.x, spot.y, spot.size, spot.distance
    canvas = stage.canvas
    lean = (1.0 if coin(chance) else -1.0) * size * float(chance.uniform(0.12, 0.24))
    crown = (x + lean, y - size * 0.86)
    spine = [(x, y), (x + lean * 0.25, y - size * 0.34), (x + lean * 0.62, y - size * 0.64), crown]
    bark = (138, 108, 78)
    canvas.shape(
        curves.ribbon(spine, [size * 0.06, size * 0.036, size * 0.03]),
        stage.lit(bark, distance),
        to=stage.lit(darker(bark, 0.3), distance),
    )
    turns = np.linspace(-0.15, math.pi + 0.15, 9) + chance.uniform(-0.12, 0.12, 9)
    for number, turn in enumerate(turns.tolist()):
        long = size * float(chance.uniform(0.34, 0.44))
        dx, dy = math.cos(turn) * long, -math.sin(turn) * long * 0.5
        frond = curves.ribbon(
            [
                crown,
                (crown[0] + dx * 0.5, crown[1] + dy - long * 0.12),
                (crown[0] + dx, crown[1] + dy * 0.4 + long * 0.3),
            ],
            [size * 0.012, size * 0.075, size * 0.05, 0.0],
        )
        tone = darker(colour, 0.3) if number % 2 else lighter(colour, 0.08)
        canvas.shape(frond, stage.lit(tone, distance))
    for dx in (-0.02, 0.025):
        nut = curves.oval(crown[0] + dx * size, crown[1] + size * 0.025, size * 0.022)
        canvas.shape(nut, stage.lit((96, 66, 44), distance))


def _bare(stage: Stage, spot: _Spot) -> None:
    """Draw a tree without leaves: branches that fork four times."""
    chance, size = spot.chance, spot.size
    colour = stage.lit(_BARK, spot.distance)

    def grow(at: tuple[float, float], angle: float, long: float, thick: float, left: int) -> None:
        end = (at[0] + math.sin(angle) * long, at[1] - math.cos(angle) * long)
        stage.canvas.shape(curves.ribbon([at, end], [thick, thick * 0.62], steps=2), colour)
        if left == 0:
            return
        for side in (-1.0, 1.0):
            turn = angle + side * float(chance.uniform(0.25, 0.6))
            grow(end, turn, long * float(chance.uniform(0.62, 0.8)), thick * 0.62, left - 1)

    grow((spot.x, spot.y), float(chance.uniform(-0.06, 0.06)), size * 0.32, size * 0.06, 5)
