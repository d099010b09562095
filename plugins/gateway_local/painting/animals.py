"""Animals: the outlines of `outlines`, and those that are made of simpler shapes."""

import math

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.colours import Rgb, darker, from_hue, lighter, luma, mix
from gateway_local.painting.curves import Coordinates, Points
from gateway_local.painting.outlines import BEASTS
from gateway_local.painting.stage import Stage

_EYE: Rgb = (28, 22, 22)
_PALE = 120.0
_FEW = 2


def beast(
    stage: Stage, x: float, y: float, size: float, colour: Rgb | None, *, kind: str, flip: bool
) -> None:
    """Draw an animal that stands at (x, y), as tall as a horse of `size` pixels lets it be."""
    what = BEASTS[kind]
    size *= what.size
    coat = what.colour if colour is None else colour

    def lay(points: Coordinates | Points, *, steps: int = 6) -> Points:
        return curves.placed(curves.smooth(points, steps=steps), x, y, size, flip=flip)

    canvas = stage.canvas
    if kind != "whale":
        canvas.shape(
            curves.oval(x, y - size * 0.005, size * 0.42, size * 0.035), (12, 14, 22), alpha=0.28
        )
    far = darker(coat, 0.34)
    for leg in what.far:
        canvas.shape(lay(leg), stage.lit(far), to=stage.lit(darker(far, 0.2)))
    if what.tail:
        band = curves.ribbon(what.tail, what.tail_widths)
        tone = what.tail_colour or coat
        canvas.shape(
            curves.placed(band, x, y, size, flip=flip),
            stage.lit(tone),
            to=stage.lit(darker(tone, 0.2)),
        )
    if kind == "deer":
        _antlers(stage, x, y, size, flip=flip)
    top, bottom = stage.lit(lighter(coat, 0.16)), stage.lit(darker(coat, 0.24))
    canvas.shape([lay(what.body), *[lay(leg) for leg in what.near]], top, to=bottom)
    for patch in what.pale:
        canvas.shape(
            lay(patch),
            stage.lit(lighter(coat, 0.6)),
            alpha=0.85 if canvas.is_outline is False else 0.3,
        )
    for patch in what.dark:
        tone = (44, 38, 38) if kind == "cow" and luma(coat) > _PALE else darker(coat, 0.5)
        canvas.shape(lay(patch), stage.lit(tone), to=stage.lit(darker(tone, 0.15)))
    for ear in what.ears:
        tone = darker(coat, 0.16)
        canvas.shape(
            lay(ear, steps=4), stage.lit(lighter(tone, 0.06)), to=stage.lit(darker(tone, 0.12))
        )
    eye = curves.placed([what.eye], x, y, size, flip=flip)
    canvas.dots(eye, _EYE, size * 0.016)
    canvas.dots(eye - (size * 0.004, size * 0.005), (250, 250, 250), size * 0.005)
    if what.nose is not None:
        nose = curves.placed([what.nose[:2]], x, y, size, flip=flip)
        canvas.dots(nose, _EYE, size * what.nose[2])


def _antlers(stage: Stage, x: float, y: float, size: float, *, flip: bool) -> None:
    tone = stage.lit((112, 84, 60))
    for shift in (0.0, 0.05):
        beam = [
            (0.685 + shift, 0.18),
            (0.64 + shift, 0.09),
            (0.67 + shift, -0.02),
            (0.74 + shift, -0.08),
        ]
        tines = (
            [(0.645 + shift, 0.1), (0.71 + shift, 0.06), (0.73 + shift, 0.01)],
            [(0.652 + shift, 0.03), (0.6 + shift, -0.02), (0.59 + shift, -0.07)],
            [(0.69 + shift, -0.04), (0.68 + shift, -0.11)],
        )
        for line, wide in ((beam, 0.018), *((tine, 0.013) for tine in tines)):
            band = curves.ribbon(line, [wide, wide * 0.8, 0.003])
            stage.canvas.shape(curves.placed(band, x, y, size, flip=flip), tone)


def sheep(stage: Stage, x: float, y: float, size: float, colour: Rgb | None, *, flip: bool) -> None:
    """Draw a sheep: a cloud of wool on four legs."""
    wool = colour or (244, 238, 226)
    size *= 0.6
    side = -1.0 if flip else 1.0
    canvas = stage.canvas
    canvas.shape(curves.oval(x, y, size * 0.5, size * 0.04), (12, 14, 22), alpha=0.28)
    for place in (-0.3, -0.16, 0.14, 0.28):
        leg = curves.box(
            x + place * size - size * 0.035, y - size * 0.36, x + place * size + size * 0.035, y
        )
        canvas.shape(leg, stage.lit((58, 50, 48)))
    angles = np.linspace(0, 2 * math.pi, 14, endpoint=False)
    for shift, tone in ((0.0, darker(wool, 0.18)), (0.04, wool)):
        tufts = [
            curves.oval(
                x + math.cos(a) * size * 0.36,
                y - size * (0.56 + shift) + math.sin(a) * size * 0.2,
                size * (0.15 - shift * 0.5),
            )
            for a in angles.tolist()
        ]
        tufts.append(curves.oval(x, y - size * (0.56 + shift), size * 0.38, size * 0.24))
        canvas.shape(tufts, stage.lit(lighter(tone, 0.1)), to=stage.lit(darker(tone, 0.1)))
        if canvas.is_outline:
            break
    head = (x + side * size * 0.48, y - size * 0.68)
    ear = curves.oval(
        head[0] - side * size * 0.1, head[1] - size * 0.02, size * 0.09, size * 0.035, 0.5 * side
    )
    canvas.shape(ear, stage.lit((48, 42, 42)))
    canvas.shape(curves.oval(*head, size * 0.12, size * 0.16, -0.4 * side), stage.lit((70, 60, 58)))
    canvas.shape(
        curves.oval(head[0] - side * size * 0.05, head[1] - size * 0.15, size * 0.1, size * 0.06),
        stage.lit(wool),
    )
    canvas.dots(
        np.array([(head[0] + side * size * 0.04, head[1] - size * 0.03)]),
        (244, 240, 230),
        size * 0.02,
    )


def flock(stage: Stage, count: int, colour: Rgb | None) -> None:
    """Draw birds on the wing in the sky."""
    chance, unit = stage.branch(), stage.unit
    x0, y0 = (
        stage.width * float(chance.uniform(0.3, 0.6)),
        stage.horizon * float(chance.uniform(0.25, 0.45)),
    )
    for _ in range(count):
        x = x0 + float(chance.normal()) * unit * 0.15
        y = max(unit * 0.05, y0 + float(chance.normal()) * unit * 0.07)
        span = unit * float(chance.uniform(0.024, 0.05)) * (1.5 if count <= _FEW else 1.0)
        lift = float(chance.uniform(0.25, 0.55))
        wings = [
            (x - span, y - span * lift * 0.5),
            (x - span * 0.5, y - span * lift),
            (x, y),
            (x + span * 0.5, y - span * lift),
            (x + span, y - span * lift * 0.4),
        ]
        tone = colour if colour is not None else (44, 46, 60)
        shape = curves.ribbon(
            wings, [span * 0.02, span * 0.12, span * 0.2, span * 0.12, span * 0.02]
        )
        stage.canvas.shape(shape, stage.lit(tone, 0.2))


def fish(stage: Stage, x: float, y: float, size: float, colour: Rgb | None, *, flip: bool) -> None:
    """Draw a fish around (x, y); `size` is its length."""
    tone = colour or from_hue(float(stage.branch().random()), 0.72, 0.95)
    side = -1.0 if flip else 1.0

    def lay(*points: tuple[float, float]) -> Points:
        return curves.smooth([(x + side * px * size, y + py * size) for px, py in points], steps=5)

    canvas = stage.canvas
    canvas.shape(
        lay((-0.26, 0.0), (-0.52, -0.2), (-0.44, 0.0), (-0.52, 0.2)), stage.lit(darker(tone, 0.1))
    )
    canvas.shape(lay((-0.12, -0.18), (0.04, -0.34), (0.16, -0.17)), stage.lit(darker(tone, 0.2)))
    canvas.shape(lay((-0.06, 0.17), (0.0, 0.3), (0.12, 0.18)), stage.lit(darker(tone, 0.2)))
    body = lay(
        (-0.34, 0.0),
        (-0.16, -0.17),
        (0.14, -0.22),
        (0.38, -0.1),
        (0.46, 0.0),
        (0.38, 0.1),
        (0.14, 0.21),
        (-0.16, 0.16),
    )
    canvas.shape(
        body,
        stage.lit(lighter(tone, 0.18)),
        to=stage.lit(lighter(mix(tone, (255, 255, 255), 0.2), 0.3)),
    )
    for place in (0.17, -0.06):
        band = lay(
            (place, -0.19),
            (place + 0.055, -0.19),
            (place + 0.075, 0.0),
            (place + 0.055, 0.18),
            (place, 0.18),
            (place + 0.02, 0.0),
        )
        canvas.shape(band, stage.lit((252, 250, 244)), alpha=0.75)
    canvas.shape(lay((0.06, 0.02), (-0.06, 0.1), (-0.03, 0.0)), stage.lit(darker(tone, 0.24)))
    eye = np.array([(x + side * 0.33 * size, y - 0.05 * size)])
    canvas.dots(eye, (252, 252, 250), size * 0.042)
    canvas.dots(eye, _EYE, size * 0.024)


def butterfly(stage: Stage, x: float, y: float, size: float, colour: Rgb | None) -> None:
    """Draw a butterfly with open wings around (x, y)."""
    chance = stage.branch()
    tone = colour or from_hue(float(chance.uniform(0.02, 0.14)), 0.8, 0.95)
    tilt = float(chance.uniform(-0.4, 0.4))

    def lay(points: list[tuple[float, float]], side: float, grow: float = 1.0) -> Points:
        outline = curves.smooth([(side * px * size * grow, py * size * grow) for px, py in points])
        return curves.moved(curves.turned(outline, tilt), x, y)

    upper = [(0.02, -0.04), (0.2, -0.4), (0.5, -0.42), (0.46, -0.12), (0.24, 0.02)]
    lower = [(0.02, 0.0), (0.28, 0.04), (0.38, 0.22), (0.24, 0.38), (0.08, 0.22)]
    for side in (-1.0, 1.0):
        for wing, shade in ((lower, 0.12), (upper, 0.0)):
            stage.canvas.shape(lay(wing, side), stage.lit((40, 32, 40)))
            stage.canvas.shape(
                lay(wing, side, 0.86),
                stage.lit(lighter(tone, 0.1 - shade / 2)),
                to=stage.lit(darker(tone, 0.1 + shade)),
            )
        spot = curves.moved(
            curves.turned(np.array([(side * 0.4 * size, -0.34 * size)]), tilt), x, y
        )
        stage.canvas.dots(spot, stage.lit((252, 248, 240)), size * 0.03)
    body = curves.oval(x, y, size * 0.035, size * 0.22, tilt)
    stage.canvas.shape(body, stage.lit((40, 32, 36)))
