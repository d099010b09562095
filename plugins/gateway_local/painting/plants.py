"""Flowers, grass, mushrooms and cacti."""

import math

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.chance import Generator
from gateway_local.painting.colours import Rgb, darker, from_hue, lighter, mix
from gateway_local.painting.stage import Stage

_STEM: Rgb = (74, 126, 54)
_FLOWERS: tuple[Rgb, ...] = (
    (226, 64, 72),
    (248, 200, 70),
    (240, 140, 180),
    (164, 110, 214),
    (246, 244, 238),
    (244, 140, 60),
)


def grass(stage: Stage, *, top: float, colour: Rgb, count: int = 420) -> None:
    """Cover the ground below `top` with tufts that grow longer as they come nearer."""
    chance, unit = stage.branch(), stage.unit
    count = int(min(1400, count * stage.width / unit))
    if stage.canvas.is_outline:
        count //= 6
    depth = np.sort(chance.random(count) ** 0.75)
    xs = chance.uniform(0, stage.width, count)
    bends = chance.normal(0, 0.35, count)
    tones = chance.uniform(-0.3, 0.26, count)
    for place, x, bend, tone in zip(
        depth.tolist(), xs.tolist(), bends.tolist(), tones.tolist(), strict=True
    ):
        y = top + (stage.height - top) * (0.04 + 1.0 * place)
        long = unit * (0.008 + 0.045 * place)
        blade_colour = darker(colour, -tone) if tone < 0 else lighter(colour, tone)
        if stage.canvas.is_outline:
            line = curves.polygon((x, y), (x + bend * long, y - long))
            stage.canvas.stroke(line, blade_colour, 1.0)
            continue
        half = long * 0.07 + 0.3
        tip = (x + bend * long, y - long)
        middle = (x + bend * long * 0.3, y - long * 0.6)
        blade = curves.polygon((x - half, y), (middle[0] - half, middle[1]), tip, (x + half, y))
        stage.canvas.shape(blade, stage.lit(blade_colour, 0.3 * (1 - place)), alpha=0.85)


def meadow(stage: Stage, *, top: float, colour: Rgb | None, count: int) -> None:
    """Scatter small flowers over the ground, in `colour` or in many."""
    chance, unit = stage.branch(), stage.unit
    for place in np.sort(chance.random(count) ** 0.8).tolist():
        x = float(chance.uniform(0, stage.width))
        y = top + (stage.height - top) * (0.06 + 0.92 * place)
        tone = colour or _FLOWERS[int(chance.integers(len(_FLOWERS)))]
        size = unit * (0.004 + 0.016 * place)
        stem = curves.polygon((x, y), (x, y - size * 2.4))
        stage.canvas.stroke(stem, stage.lit(_STEM), size * 0.2)
        head = [
            curves.oval(
                x + math.cos(a) * size * 0.5, y - size * 2.5 + math.sin(a) * size * 0.4, size * 0.42
            )
            for a in np.linspace(0, 2 * math.pi, 5, endpoint=False).tolist()
        ]
        stage.canvas.shape(head, stage.lit(tone, 0.2 * (1 - place)))
        middle = np.array([(x, y - size * 2.5)])
        stage.canvas.dots(middle, stage.lit((250, 214, 90)), size * 0.24)


def flower(stage: Stage, x: float, y: float, size: float, colour: Rgb | None, *, kind: str) -> None:
    """Draw one flower that stands at (x, y) and is `size` pixels tall."""
    chance = stage.branch()
    lean = float(chance.uniform(-0.1, 0.1)) * size
    head = (x + lean, y - size * (0.8 if kind == "sunflower" else 0.84))
    wide = size * (0.034 if kind == "sunflower" else 0.022)
    stem = curves.ribbon([(x, y), (x + lean * 0.2, y - size * 0.45), head], [wide * 1.2, wide])
    stage.canvas.shape(stem, stage.lit(lighter(_STEM, 0.1)), to=stage.lit(darker(_STEM, 0.3)))
    for side, lift in ((-1.0, 0.28), (1.0, 0.42), (-1.0, 0.54)):
        _leaf(stage, x + lean * lift * 0.3, y - size * lift, size * 0.2, side)
    if kind == "sunflower":
        _sunflower(stage, chance, head, size * 0.2, colour or (250, 190, 44))
    elif stage.scene.first("flower") is not None and "tulip" in stage.scene.prompt.lower():
        _tulip(stage, head, size * 0.15, colour or (220, 56, 72))
    else:
        tone = colour or _FLOWERS[int(chance.integers(len(_FLOWERS)))]
        _daisy(stage, chance, head, size * 0.16, tone)


def _leaf(stage: Stage, x: float, y: float, long: float, side: float) -> None:
    outline = curves.smooth(
        [
            (x, y),
            (x + side * long * 0.4, y - long * 0.46),
            (x + side * long, y - long * 0.5),
            (x + side * long * 0.62, y - long * 0.02),
        ]
    )
    stage.canvas.shape(outline, stage.lit(lighter(_STEM, 0.12)), to=stage.lit(darker(_STEM, 0.24)))
    vein = curves.smooth(
        [(x, y), (x + side * long * 0.5, y - long * 0.26), (x + side * long, y - long * 0.5)],
        closed=False,
    )
    stage.canvas.stroke(vein, stage.lit(lighter(_STEM, 0.35)), long * 0.025, alpha=0.8)


def _petals(
    stage: Stage,
    chance: Generator,
    head: tuple[float, float],
    *,
    count: int,
    reach: float,
    long: float,
    wide: float,
    colour: Rgb,
    start: float,
) -> None:
    for number in range(count):
        turn = start + number * 2 * math.pi / count + float(chance.normal()) * 0.05
        far = reach + long * float(chance.uniform(0.9, 1.08))
        unit_x, unit_y = math.cos(turn), math.sin(turn)
        side_x, side_y = -unit_y * wide, unit_x * wide
        outline = [
            (head[0] + unit_x * reach * 0.6, head[1] + unit_y * reach * 0.6),
            (head[0] + unit_x * far * 0.66 + side_x, head[1] + unit_y * far * 0.66 + side_y),
            (head[0] + unit_x * far, head[1] + unit_y * far),
            (head[0] + unit_x * far * 0.66 - side_x, head[1] + unit_y * far * 0.66 - side_y),
        ]
        tone = mix(lighter(colour, 0.16), darker(colour, 0.14), (1 + unit_y) / 2)
        stage.canvas.shape(curves.smooth(outline, steps=5), stage.lit(tone))


def _sunflower(
    stage: Stage, chance: Generator, head: tuple[float, float], radius: float, colour: Rgb
) -> None:
    for count, long, tone, start in (
        (17, radius * 0.62, darker(mix(colour, (226, 120, 20), 0.5), 0.08), 0.18),
        (17, radius * 0.52, colour, 0.0),
    ):
        _petals(
            stage,
            chance,
            head,
            count=count,
            reach=radius * 0.5,
            long=long,
            wide=radius * 0.12,
            colour=tone,
            start=start,
        )
    brown: Rgb = (92, 56, 30)
    disc = curves.oval(head[0], head[1], radius * 0.54)
    stage.canvas.shape(disc, stage.lit(brown), to=stage.lit(darker(brown, 0.4)))
    seeds = np.arange(150)
    away = np.sqrt((seeds + 0.5) / 150) * radius * 0.5
    turn = seeds * math.pi * (3 - math.sqrt(5))  # The golden angle: how sunflowers grow.
    at = np.stack([head[0] + np.cos(turn) * away, head[1] + np.sin(turn) * away], axis=1)
    stage.canvas.dots(at[:60], stage.lit((128, 92, 40)), radius * 0.022)
    stage.canvas.dots(at[60:], stage.lit((196, 136, 48)), radius * 0.026)


def _daisy(
    stage: Stage, chance: Generator, head: tuple[float, float], radius: float, colour: Rgb
) -> None:
    _petals(
        stage,
        chance,
        head,
        count=11,
        reach=radius * 0.28,
        long=radius * 0.72,
        wide=radius * 0.19,
        colour=colour,
        start=0.1,
    )
    middle = curves.oval(head[0], head[1], radius * 0.32)
    stage.canvas.shape(middle, stage.lit((252, 214, 84)), to=stage.lit((222, 154, 44)))


def _tulip(stage: Stage, head: tuple[float, float], radius: float, colour: Rgb) -> None:
    x, y = head
    for shift, tone in ((-0.42, darker(colour, 0.2)), (0.42, darker(colour, 0.12)), (0.0, colour)):
        petal = curves.smooth(
            [
                (x + shift * radius, y + radius * 0.7),
                (x + (shift - 0.52) * radius, y),
                (x + shift * 1.3 * radius, y - radius),
                (x + (shift + 0.52) * radius, y),
            ]
        )
        stage.canvas.shape(petal, stage.lit(lighter(tone, 0.14)), to=stage.lit(darker(tone, 0.12)))


def mushroom(stage: Stage, x: float, y: float, size: float, colour: Rgb | None) -> None:
    """Draw a mushroom with a spotted cap."""
    cap = colour or (200, 48, 42)
    stem = curves.ribbon([(x, y), (x, y - size * 0.6)], [size * 0.3, size * 0.2])
    stage.canvas.shape(stem, stage.lit((250, 242, 224)), to=stage.lit((206, 192, 168)))
    dome = curves.smooth(
        [
            (x - size * 0.46, y - size * 0.5),
            (x - size * 0.34, y - size * 0.84),
            (x, y - size),
            (x + size * 0.34, y - size * 0.84),
            (x + size * 0.46, y - size * 0.5),
            (x, y - size * 0.42),
        ]
    )
    stage.canvas.shape(dome, stage.lit(lighter(cap, 0.15)), to=stage.lit(darker(cap, 0.2)))
    for dx, dy, r in (
        (-0.2, 0.7, 0.07),
        (0.08, 0.84, 0.06),
        (0.24, 0.64, 0.075),
        (-0.02, 0.6, 0.05),
    ):
        spot = curves.oval(x + dx * size, y - dy * size, r * size, r * size * 0.8)
        stage.canvas.shape(spot, stage.lit((255, 250, 240)))


def cactus(stage: Stage, x: float, y: float, size: float, colour: Rgb | None) -> None:
    """Draw a saguaro with two arms."""
    green = colour or (84, 134, 84)
    parts = [curves.ribbon([(x, y), (x, y - size * 0.92)], [size * 0.17, size * 0.19, size * 0.15])]
    parts.append(curves.oval(x, y - size * 0.92, size * 0.075))
    for side, root, top in ((-1.0, 0.36, 0.72), (1.0, 0.48, 0.86)):
        arm = [
            (x, y - size * root),
            (x + side * size * 0.2, y - size * (root + 0.02)),
            (x + side * size * 0.24, y - size * (root + 0.12)),
            (x + side * size * 0.24, y - size * top),
        ]
        parts.append(curves.ribbon(arm, [size * 0.11, size * 0.12, size * 0.11]))
        parts.append(curves.oval(x + side * size * 0.24, y - size * top, size * 0.055))
    stage.canvas.shape(parts, stage.lit(lighter(green, 0.1)), to=stage.lit(darker(green, 0.3)))
    for dx in (-0.04, 0.0, 0.04):
        rib = curves.polygon((x + dx * size, y - size * 0.02), (x + dx * size, y - size * 0.92))
        stage.canvas.stroke(rib, stage.lit(darker(green, 0.35)), size * 0.008, alpha=0.7)
    bloom = curves.star(x + size * 0.24, y - size * 0.93, size * 0.05, tips=7, waist=0.5)
    stage.canvas.shape(bloom, stage.lit(from_hue(0.93, 0.6, 0.95)))
