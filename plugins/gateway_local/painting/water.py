"""Water: seas that mirror the sky, lakes, rivers, falls and the beach."""

import math

import numpy as np

from gateway_local.painting import curves, noise
from gateway_local.painting.chance import coin
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.curves import Points
from gateway_local.painting.stage import Stage

_HEAVY = 0.7  # Clouds that let no path of light through.
_MAIN_BLUE: Rgb = (30, 92, 128)


def water(
    stage: Stage,
    *,
    top: float,
    bottom: float | None = None,
    within: Points | None = None,
    calm: float = 0.5,
    name: str = "sea",
) -> None:
    """Mirror what is painted above `top` into the rows below it, to `bottom`.

    `calm` from 0 (waves) to 1 (a mirror). `within` is the shore, if it is not the picture's edge.
    """
    bottom = float(stage.height) if bottom is None else bottom
    rows, width = max(2, math.ceil(bottom - top)), stage.width
    colours = _mirror(stage, top, rows, calm, name)
    stage.canvas.field(colours, top=top, bottom=bottom, within=within)
    if within is None:
        _waves(stage, top, bottom, calm)
    has_path = within is None or name == "lake"
    if has_path and (stage.light.has_sun or stage.scene.has("moon") or stage.light.is_dark):
        _glitter(stage, top, bottom, width)


def _mirror(stage: Stage, top: float, rows: int, calm: float, name: str) -> noise.Floats:
    chance, width = stage.branch(), stage.width
    above = stage.canvas.above(top)[::-1]
    pace = max(1.0, len(above) / (rows * 1.25))
    take = np.minimum((np.arange(rows) * pace).astype(int), len(above) - 1)
    down = np.linspace(0.0, 1.0, rows)[:, None]
    ripple = noise.clouds(
        chance, width, rows, cell=(stage.unit * 0.16, stage.unit * 0.014), octaves=3, rough=0.6
    )
    sway = (ripple - 0.5) * stage.unit * (0.012 + 0.12 * down * (1 - calm))
    columns = np.clip(np.arange(width)[None, :] + sway, 0, width - 1).astype(int)
    lift = (ripple - 0.5) * stage.unit * 0.09 * (1 - calm) * (0.3 + down)
    lines = np.clip(take[:, None] + lift, 0, len(above) - 1).astype(int)
    seen = above[lines, columns] if not stage.canvas.is_outline else np.zeros((rows, width, 3))
    colour = stage.scene.land_colours.get(name, _MAIN_BLUE)
    own = np.array(stage.lit(colour), dtype=float)
    share = (0.22 + 0.42 * down * (1.15 - 0.6 * calm))[:, :, None]
    colours = seen + (own - seen) * share
    return np.asarray(colours * (0.9 + 0.2 * ripple[:, :, None]))


def _waves(stage: Stage, top: float, bottom: float, calm: float) -> None:
    """Draw crests as thin lenses, larger as they come nearer."""
    chance, unit = stage.branch(), stage.unit
    count = int(min(420, (150 - 80 * calm) * (stage.width / unit) * ((bottom - top) / unit) * 2.4))
    depth = np.sort(chance.random(count) ** 1.5)
    xs = chance.uniform(-0.05, 1.05, count) * stage.width
    crest = mix(stage.light.sky[-1][1], (255, 255, 255), 0.35 if stage.light.has_sun else 0.1)
    trough = stage.lit(darker(_MAIN_BLUE, 0.45))
    for place, x in zip(depth.tolist(), xs.tolist(), strict=True):
        y = top + (bottom - top) * (0.012 + 0.98 * place)
        long = unit * (0.02 + 0.14 * place) * (1.2 - 0.4 * calm)
        thick = unit * (0.0012 + 0.009 * place * (1.15 - calm))
        lens = [(x - long, y), (x - long * 0.2, y - thick), (x + long, y), (x, y + thick * 0.35)]
        alpha = 0.2 + 0.25 * (1 - calm)
        stage.canvas.shape(curves.smooth(lens, steps=5), crest, alpha=alpha)
        stage.canvas.shape(
            curves.smooth([(px, py + thick * 1.7) for px, py in lens], steps=5),
            trough,
            alpha=alpha * 0.8,
        )


def _glitter(stage: Stage, top: float, bottom: float, width: int) -> None:
    """Lay the path of light that leads to the sun or the moon."""
    if not 0 <= stage.sun_x <= width or stage.light.cover > _HEAVY:
        return
    chance, unit = stage.branch(), stage.unit
    colour = lighter(stage.light.sun, 0.25)
    low = stage.scene.time in {"sunset", "dawn"}
    count = 110 if low else 60
    depth = chance.random(count) ** 1.15
    for place in np.sort(depth).tolist():
        y = top + (bottom - top) * place
        spread = unit * (0.02 + 0.16 * place) * (1.0 if low else 0.7)
        x = stage.sun_x + float(chance.normal()) * spread * 0.6
        long = unit * (0.008 + 0.05 * place) * float(chance.uniform(0.5, 1.4))
        thick = unit * (0.0012 + 0.006 * place)
        alpha = (0.75 if low else 0.5) * (1 - 0.6 * place)
        stage.canvas.shape(curves.oval(x, y, long, thick), colour, alpha=alpha)


def beach(stage: Stage, *, shore: float) -> None:
    """Draw wet and dry sand from about `shore` down, with a line of foam."""
    chance, unit, width = stage.branch(), stage.unit, stage.width
    sand = stage.scene.land_colours.get("beach", (232, 206, 158))
    wave = noise.profile(chance, width + 1, cell=width / 2.4, octaves=3, rough=0.4)
    slope = np.linspace(0.06, -0.1, width + 1) * unit
    line = shore + slope + wave * unit * 0.035
    xs = np.arange(width + 1, dtype=float)

    def edge(offset: float) -> Points:
        rim = np.stack([xs, line + offset * unit], axis=1)
        return np.concatenate([rim, curves.polygon((width, stage.height), (0, stage.height))])

    foam = stage.lit((250, 252, 252))
    stage.canvas.shape(edge(-0.028), foam, alpha=0.4)
    stage.canvas.shape(edge(-0.012), foam, alpha=0.9)
    stage.canvas.shape(edge(0.004), stage.lit(darker(sand, 0.28)))
    stage.canvas.shape(edge(0.05), stage.lit(sand), to=stage.lit(darker(sand, 0.16)))
    grains = chance.random((int(500 * width / unit), 2)) * (width, stage.height - shore)
    grains[:, 1] += shore + unit * 0.12
    stage.canvas.dots(grains, stage.lit(darker(sand, 0.3)), unit * 0.0016, alpha=0.5)


def lake(stage: Stage, *, top: float, bottom: float) -> None:
    """Draw a lake across the picture, its near shore rounded."""
    chance, width = stage.branch(), stage.width
    swing = float(chance.uniform(-0.06, 0.06)) * stage.unit
    shore = curves.smooth(
        [
            (-0.1 * width, top),
            (1.1 * width, top),
            (1.12 * width, bottom - swing * 2),
            (0.78 * width, bottom - stage.unit * 0.03),
            (0.5 * width, bottom + swing),
            (0.2 * width, bottom - stage.unit * 0.05),
            (-0.12 * width, bottom + swing),
        ]
    )
    shore[:, 1] = np.maximum(shore[:, 1], top)
    bank = curves.moved(shore, 0.0, stage.unit * 0.012)
    stage.canvas.shape(bank, stage.lit(darker((150, 140, 104), 0.2)), alpha=0.8)
    water(stage, top=top, bottom=float(shore[:, 1].max()), within=shore, calm=0.9, name="lake")


def river(stage: Stage, *, top: float, kind: str = "river") -> None:
    """Draw a river, or a road, that winds from the horizon to the lower edge."""
    chance = stage.branch()
    x = stage.width * float(chance.uniform(0.4, 0.6))
    side = 1.0 if coin(chance) else -1.0
    drop = stage.height - top
    wide = min(stage.width * 0.8, drop * 1.1)
    bends = [(0.0, 0.0), (0.1, 0.1), (-0.13, 0.26), (0.12, 0.5), (-0.02, 0.8), (-0.06, 1.08)]
    spine = [(x + side * dx * wide * 1.2, top + dy * drop) for dx, dy in bends]
    widths = [wide * 0.012, wide * 0.05, wide * 0.12, wide * 0.24, wide * 0.44, wide * 0.66]
    if kind == "road":
        _road(stage, spine, [width * 0.8 for width in widths])
        return
    bank = lane(spine, [width * 1.12 + stage.unit * 0.006 for width in widths])
    stage.canvas.shape(bank, stage.lit((132, 122, 88)), alpha=0.9)
    bed = lane(spine, widths)
    water(stage, top=top, bottom=float(stage.height), within=bed, calm=0.85, name="river")
    for _ in range(26):
        place = float(chance.random()) ** 0.7
        cx = float(np.interp(place, [dy for _, dy in bends], [px for px, _ in spine]))
        half = float(np.interp(place, [dy for _, dy in bends], widths)) * 0.36
        cx += float(chance.uniform(-1, 1)) * half
        streak = curves.oval(cx, top + place * drop, half * 0.3 + 1, stage.unit * 0.0022)
        stage.canvas.shape(streak, (236, 246, 250), alpha=0.35)


def lane(spine: list[tuple[float, float]], widths: list[float]) -> Points:
    """Return a band that lies on the ground along `spine`: its widths are measured across."""
    middle = curves.smooth(spine, closed=False, steps=14)
    place = np.linspace(0.0, 1.0, len(middle))
    half = np.interp(place, np.linspace(0.0, 1.0, len(widths)), widths) / 2
    aside = np.stack([half, np.zeros_like(half)], axis=1)
    return np.concatenate([middle - aside, (middle + aside)[::-1]])


def _road(stage: Stage, spine: list[tuple[float, float]], widths: list[float]) -> None:
    colour = stage.scene.land_colours.get("road", (170, 150, 124))
    edge = lane(spine, [width * 1.16 for width in widths])
    stage.canvas.shape(edge, stage.lit(darker(colour, 0.25), 0.2), alpha=0.7)
    body = lane(spine, widths)
    stage.canvas.shape(body, stage.lit(colour, 0.4), to=stage.lit(colour))


def waterfall(stage: Stage, *, x: float, top: float, foot: float, wide: float) -> None:
    """Draw a fall between two rocks into its pool."""
    chance = stage.branch()
    for side in (-1.0, 1.0):
        rim = [
            (x + side * wide * 0.4, top - wide * 0.1),
            (x + side * wide * 1.5, top - wide * 0.25),
            (x + side * wide * 2.6, top + (foot - top) * 0.5),
            (x + side * wide * 2.9, foot + wide * 0.1),
            (x + side * wide * 0.45, foot + wide * 0.12),
        ]
        stage.canvas.shape(
            curves.smooth(rim, steps=4), stage.lit((122, 118, 112)), to=stage.lit((70, 80, 70))
        )
    fall = curves.box(x - wide * 0.5, top, x + wide * 0.5, foot)
    stage.canvas.shape(fall, stage.lit((240, 248, 252)), to=stage.lit((186, 218, 234)))
    for _ in range(40):
        cx = x + float(chance.uniform(-0.46, 0.46)) * wide
        y = top + float(chance.random()) * (foot - top) * 0.8
        line = curves.polygon((cx, y), (cx, y + (foot - top) * 0.2))
        stage.canvas.stroke(line, stage.lit((140, 186, 214)), wide * 0.02, alpha=0.5)
    pool = curves.oval(x, foot + wide * 0.2, wide * 1.9, wide * 0.34)
    stage.canvas.shape(pool, stage.lit((120, 180, 204)), to=stage.lit((60, 124, 154)))
    for _ in range(14):
        cx = x + float(chance.normal()) * wide * 0.4
        puff = curves.oval(cx, foot + float(chance.uniform(-0.05, 0.2)) * wide, wide * 0.16)
        stage.canvas.shape(puff, (250, 252, 255), alpha=0.4)
