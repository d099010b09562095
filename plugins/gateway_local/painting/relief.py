"""Mountains, hills, dunes and volcanoes: ridges one behind the other, paler with distance."""

import math

import numpy as np

from gateway_local.painting import curves, noise
from gateway_local.painting.chance import Generator
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.curves import Points
from gateway_local.painting.noise import Floats
from gateway_local.painting.stage import Stage


def mountains(stage: Stage, *, base: float, tall: float, ranges: int = 3) -> None:
    """Draw `ranges` of mountains whose feet are at `base`, the farthest `tall` pixels high."""
    scene = stage.scene
    rock = scene.land_colours.get("mountains", (104, 112, 128))
    snowy = scene.weather == "snow" or scene.season == "winter"
    for layer in range(ranges):
        near = (layer + 1) / ranges
        height = tall * (1.0 - 0.42 * layer / max(1, ranges - 1))
        colour = mix(rock, (58, 82, 76), 0.7 * (near - 1 / ranges))
        _range(
            stage,
            base=base,
            tall=height,
            colour=colour,
            distance=0.78 * (1 - near) + 0.12,
            snow=0.5 if snowy else 0.42 - 0.5 * near,
        )


def _range(
    stage: Stage, *, base: float, tall: float, colour: Rgb, distance: float, snow: float
) -> None:
    chance = stage.branch()
    width = stage.width
    peaks, owner = _peaks(chance, width, tall, stage.unit)
    top = max(0.0, base - float(peaks.max()))
    rows = max(2, math.ceil(base - top))
    line = base - peaks
    depth = np.arange(rows)[:, None] + top - line[None, :]
    colours = _faces(stage, chance, depth, owner, tall=tall, colour=colour, distance=distance)
    if snow > 0:
        ragged = noise.clouds(
            chance, width, rows, cell=(tall * 0.08, tall * 0.16), octaves=4, rough=0.6
        )
        height_of = (peaks / max(tall, 1.0))[None, :]
        reach = tall * (snow * height_of * 1.15 - 0.1) * (0.35 + 1.3 * ragged)
        white = noise.ease(reach - depth, -1.0, max(2.0, tall * 0.02))[:, :, None]
        shade = np.array(stage.lit((176, 194, 224), distance * 0.8), dtype=float)
        bright = np.array(stage.lit((252, 252, 255), distance * 0.6), dtype=float)
        side = np.clip((colours[:, :, 1:2] - colours[:, :, 1:2].mean()) / 26 + 0.5, 0, 1)
        colours += (shade + (bright - shade) * side - colours) * white
    stage.canvas.field(colours, top=top, bottom=base, within=_below(line, base))


def _peaks(chance: Generator, width: int, tall: float, unit: float) -> tuple[Floats, Floats]:
    """Return the height of the range at each column, and where its dominating peak stands."""
    at = np.arange(width, dtype=float)
    spacing = max(tall * 0.62, unit * 0.1)
    places = np.arange(-0.5, width / spacing + 1.5)
    places = (places + chance.uniform(-0.36, 0.36, len(places))) * spacing
    heights = tall * chance.uniform(0.5, 0.9, len(places))
    heights[int(chance.integers(1, max(2, len(places) - 1)))] = tall * 0.96
    slopes = chance.uniform(0.62, 1.05, len(places))
    away = np.abs(at[:, None] - places[None, :])
    each = heights[None, :] - away * slopes[None, :] * (1 - 0.22 * away / (tall + away))
    owner = each.argmax(axis=1)
    rough = noise.profile(chance, width, cell=tall * 0.2, octaves=5, rough=0.5)
    height = each.max(axis=1) + rough * tall * 0.075
    return np.maximum(height, tall * 0.14 + rough * tall * 0.05), places[owner]


def _faces(
    stage: Stage,
    chance: Generator,
    depth: Floats,
    owner: Floats,
    *,
    tall: float,
    colour: Rgb,
    distance: float,
) -> Floats:
    """Colour the sunny and the shady side of each peak, and mist at its foot."""
    rows, width = depth.shape
    under = np.clip(depth, 0, None)
    columns = np.arange(width)[None, :]
    warp = noise.clouds(chance, width, rows, cell=(tall * 0.6, tall * 0.3), octaves=3, rough=0.4)
    moved = np.clip(columns + (warp - 0.5) * under * 1.3, 0, width - 1).astype(int)
    spine = noise.clouds(chance, width, rows, cell=(tall * 2.4, tall * 0.2), octaves=2, rough=0.3)
    edge = owner[moved] + (spine - 0.5) * (tall * 0.04 + under * 0.8)
    side = np.sign(stage.sun_x - stage.width / 2) or 1.0
    toward = (columns - edge) * side
    soft = max(1.0, tall * 0.012)
    lit = noise.ease(toward, -soft, soft)
    crags = noise.clouds(chance, width, rows, cell=(tall * 0.26, tall * 0.3), octaves=4, rough=0.5)
    slope = np.gradient(crags, axis=1) * side * tall * 0.055
    level = np.clip(lit * 0.66 + 0.08 + np.clip(slope, -0.26, 0.26), -0.2, 1.0)[:, :, None]
    shadow = mix(
        stage.lit(darker(colour, 0.34), distance), darker(stage.light.cloud_shade, 0.3), 0.3
    )
    dark = np.array(shadow, dtype=float)
    bright = np.array(
        stage.lit(mix(lighter(colour, 0.34), stage.light.sun, 0.25), distance), dtype=float
    )
    colours = dark + (bright - dark) * level
    mist = np.clip(depth / max(tall, 1.0), 0, 1)[:, :, None] ** 1.5 * (0.3 + 0.4 * distance)
    haze = np.array(stage.light.haze, dtype=float)
    return np.asarray(colours + (haze - colours) * mist)


def hills(
    stage: Stage, *, base: float, tall: float, colour: Rgb, distance: float, waves: float = 1.6
) -> Floats:
    """Draw one line of rolling hills down to the lower edge; return its heights by column."""
    chance = stage.branch()
    rise = noise.profile(chance, stage.width, cell=stage.width / waves, octaves=3, rough=0.35)
    line = base - tall * (0.5 + 0.5 * rise)
    top = float(line.min())
    rows = max(2, math.ceil((stage.height - top) / 2))
    columns = max(2, stage.width // 2)
    spots = noise.clouds(
        chance, columns, rows, cell=(stage.unit * 0.1, stage.unit * 0.02), octaves=4, rough=0.6
    )[:, :, None]
    down = np.linspace(0.0, 1.0, rows)[:, None, None]
    far = np.array(stage.lit(lighter(colour, 0.16), distance), dtype=float)
    near = np.array(stage.lit(darker(colour, 0.26), distance * 0.5), dtype=float)
    colours = (far + (near - far) * down) * (0.92 + 0.16 * spots)
    stage.canvas.field(
        colours, top=top, bottom=stage.height, within=_below(line, float(stage.height))
    )
    return line


def dunes(stage: Stage) -> None:
    """Fill the ground with dunes: each a bright windward and a dark lee side."""
    sand = stage.scene.land_colours.get("desert", (224, 172, 104))
    for layer in range(4):
        near = layer / 3
        base = stage.ground(0.02 + 0.62 * near**1.3)
        tall = (stage.height - stage.horizon) * (0.2 + 0.22 * near)
        line = hills(
            stage,
            base=base,
            tall=tall,
            colour=mix(lighter(sand, 0.2), sand, near),
            distance=0.45 * (1 - near),
            waves=2.6 - near,
        )
        if layer > 0:
            _lee(stage, line, tall, sand, 0.45 * (1 - near))


def _lee(stage: Stage, line: Floats, tall: float, sand: Rgb, distance: float) -> None:
    """Shade the steep side of a dune: a crescent that hangs from its crest."""
    crest = int(np.argmin(line[: -max(1, stage.width // 3)]))
    reach = int(min(stage.width - 1 - crest, max(4, stage.width * 0.42)))
    places = np.arange(crest, crest + reach + 1, max(1, reach // 60))
    rim = np.stack([places, line[places]], axis=1)
    x, y, end = float(crest), float(line[crest]), rim[-1]
    under = curves.smooth(
        [
            (float(end[0]), float(end[1])),
            (x + reach * 0.62, float(np.interp(x + reach * 0.62, places, rim[:, 1])) + tall * 0.34),
            (x + reach * 0.26, y + tall * 0.72),
            (x + reach * 0.03, y + tall * 0.6),
            (x - reach * 0.02, y + tall * 0.26),
            (x, y),
        ],
        closed=False,
    )
    shade = stage.lit(darker(sand, 0.45), distance)
    outline = np.concatenate([rim, under])
    stage.canvas.shape(outline, shade, to=stage.lit(darker(sand, 0.2), distance), alpha=0.75)


def volcano(stage: Stage, *, base: float, tall: float) -> None:
    """Draw a cone with a glowing crater and a plume."""
    chance = stage.branch()
    x = stage.width * float(chance.uniform(0.38, 0.62))
    left, right = tall * 0.12, tall * 0.13
    slope = [(0.0, 0.0), (0.5, 0.22), (0.8, 0.52), (1.0, 1.0)]
    one = [(x - left - tall * (1 - up) ** 1.7 * 1.25, base - tall * up) for _, up in slope]
    two = [(x + right + tall * (1 - up) ** 1.7 * 1.25, base - tall * up) for _, up in slope]
    cone = np.concatenate(
        [curves.smooth(one, closed=False), curves.smooth(two[::-1], closed=False)]
    )
    for tone, lift in ((0.0, 0.0), (0.3, -0.25)):
        puffs = []
        for puff in range(18):
            part = puff / 17
            size = tall * (0.05 + 0.12 * part)
            cx = x + tall * 0.4 * part**1.4 + float(chance.normal()) * size * 0.3
            cy = base - tall * (1.0 + 0.6 * part) + lift * size
            puffs.append(curves.oval(cx, cy, size * (1 + lift)))
        smoke = mix((96, 86, 92), stage.light.cloud_lit, tone)
        stage.canvas.shape(puffs, smoke, to=mix(smoke, (60, 50, 54), 0.5))
    stage.canvas.glow(x, base - tall, tall * 0.4, (255, 120, 40), 0.8)
    stage.canvas.shape(cone, stage.lit((94, 78, 84), 0.15), to=stage.lit((60, 66, 66), 0.25))
    for lane in (-0.5, 0.1, 0.6):
        path = [
            (
                x + lane * tall * (0.16 + 0.5 * part) + float(chance.normal()) * tall * 0.012,
                base - tall * (1 - part),
            )
            for part in (0.0, 0.14, 0.3, 0.48)
        ]
        stage.canvas.shape(curves.ribbon(path, [tall * 0.035, tall * 0.008]), (255, 120, 36))


def _below(line: Floats, base: float) -> Points:
    """Return the outline between `line` (a height for each column) and `base`."""
    columns = np.arange(len(line), dtype=float)
    edge = np.stack([columns, line], axis=1)
    first, last = (0.0, float(line[0])), (float(len(line)), float(line[-1]))
    corners = np.array([last, (len(line), base), (0.0, base), first])
    return np.concatenate([edge, corners])
