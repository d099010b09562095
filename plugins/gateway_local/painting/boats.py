"""Boats and ships."""

from itertools import pairwise

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.stage import Stage

_WOOD: Rgb = (122, 78, 48)

_CANVAS: Rgb = (246, 238, 218)


def boat(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a sailing boat with two sails; `size` is its height above the water line `y`."""
    canvas, hull = stage.canvas, _WOOD
    sail = colour or _CANVAS
    _wake(stage, x, y, size * 0.52)
    mast = (x - size * 0.03, y - size)
    canvas.stroke(
        curves.polygon((mast[0], y - size * 0.1), mast), stage.lit((84, 60, 44)), size * 0.02
    )
    main = curves.smooth(
        [
            (mast[0] + size * 0.02, y - size * 0.96),
            (x + size * 0.3, y - size * 0.55),
            (x + size * 0.44, y - size * 0.2),
        ],
        closed=False,
    )
    main = np.concatenate([main, curves.polygon((mast[0] + size * 0.02, y - size * 0.2))])
    canvas.shape(main, stage.lit(lighter(sail, 0.2)), to=stage.lit(darker(sail, 0.12)))
    jib = curves.smooth(
        [
            (mast[0] - size * 0.02, y - size * 0.86),
            (x - size * 0.2, y - size * 0.5),
            (x - size * 0.4, y - size * 0.19),
        ],
        closed=False,
    )
    jib = np.concatenate([jib, curves.polygon((mast[0] - size * 0.02, y - size * 0.24))])
    canvas.shape(jib, stage.lit(darker(sail, 0.06)), to=stage.lit(darker(sail, 0.2)))
    body = curves.smooth(
        [
            (x - size * 0.5, y - size * 0.16),
            (x - size * 0.34, y),
            (x + size * 0.3, y),
            (x + size * 0.46, y - size * 0.16),
        ],
        closed=False,
    )
    canvas.shape(body, stage.lit(lighter(hull, 0.12)), to=stage.lit(darker(hull, 0.35)))
    rim = curves.ribbon(
        [(x - size * 0.5, y - size * 0.16), (x + size * 0.46, y - size * 0.16)], [size * 0.02]
    )
    canvas.shape(rim, stage.lit((240, 232, 214)))


def ship(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a three-master under full sail; `size` is its height above the water line `y`."""
    canvas, hull, sail = stage.canvas, colour or _WOOD, _CANVAS
    _wake(stage, x, y, size * 0.62)

    def at(px: float, py: float) -> tuple[float, float]:
        return (x + px * size, y - py * size)

    rope = stage.lit((70, 52, 42))
    sprit = curves.polygon(at(0.44, 0.24), at(0.74, 0.38))
    canvas.stroke(sprit, rope, size * 0.016)
    masts = ((-0.3, 0.78, 0.15), (0.02, 1.0, 0.2), (0.32, 0.86, 0.17))
    for place, high, _ in masts:
        canvas.stroke(curves.polygon(at(place, 0.1), at(place, high)), rope, size * 0.018)
        for foot in (-0.16, 0.16):
            canvas.stroke(
                curves.polygon(at(place, high * 0.94), at(place + foot, 0.22)), rope, size * 0.003
            )
    canvas.stroke(curves.polygon(at(0.32, 0.84), at(0.74, 0.38)), rope, size * 0.004)
    for shift in (0.0, 0.12):
        jib = curves.polygon(
            at(0.36 + shift, 0.66 - shift), at(0.68 + shift * 0.3, 0.38), at(0.4 + shift, 0.34)
        )
        canvas.shape(jib, stage.lit(sail), to=stage.lit(darker(sail, 0.16)))
    for place, high, half in masts:
        levels = (0.26, 0.5, 0.73, 0.92)
        for number, (low, top) in enumerate(pairwise(levels)):
            wide, narrow = half * (1 - 0.2 * number), half * (0.86 - 0.2 * number)
            belly = 0.05
            cloth = [
                at(place - narrow, high * top - 0.012),
                at(place + narrow, high * top - 0.012),
                at(place + wide * 0.94 + belly, high * (low + top) / 2),
                at(place + wide, high * low + 0.012),
                at(place + belly, high * low + 0.04),
                at(place - wide, high * low + 0.012),
                at(place - wide * 0.9 + belly * 0.5, high * (low + top) / 2),
            ]
            canvas.shape(
                curves.smooth(cloth, steps=4),
                stage.lit(lighter(sail, 0.3)),
                to=stage.lit(darker(sail, 0.2)),
            )
            canvas.stroke(
                curves.polygon(at(place - narrow, high * top), at(place + narrow, high * top)),
                rope,
                size * 0.012,
            )
        pennant = curves.polygon(
            at(place, high), at(place - 0.12, high - 0.012), at(place, high - 0.035)
        )
        canvas.shape(pennant, stage.lit((200, 48, 48)))
    side = [
        at(-0.58, 0.34),
        (at(-0.5, 0.1)),
        at(-0.42, 0.0),
        at(0.34, 0.0),
        at(0.46, 0.1),
        at(0.56, 0.27),
        at(0.4, 0.2),
        at(-0.26, 0.18),
        at(-0.36, 0.3),
    ]
    canvas.shape(
        curves.polygon(*side), stage.lit(lighter(hull, 0.14)), to=stage.lit(darker(hull, 0.4))
    )
    for level, tone in ((0.16, (214, 170, 92)), (0.06, darker(hull, 0.5))):
        plank = curves.polygon(
            at(-0.5, level + 0.02), at(-0.3, level), at(0.3, level), at(0.49, level + 0.03)
        )
        canvas.stroke(plank, stage.lit(tone), size * 0.012)
    for port in np.linspace(-0.36, 0.36, 8).tolist():
        hole = curves.box(*at(port - 0.014, 0.125), *at(port + 0.014, 0.092))
        canvas.shape(hole, (255, 214, 120) if stage.light.is_dark else stage.lit((46, 32, 28)))


def _wake(stage: Stage, x: float, y: float, half: float) -> None:
    canvas = stage.canvas
    canvas.shape(
        curves.oval(x, y + half * 0.1, half * 1.05, half * 0.16),
        stage.lit((24, 44, 66)),
        alpha=0.35,
    )
    for row in range(4):
        wide = half * (1.25 - 0.2 * row)
        line = curves.oval(
            x + half * 0.06 * row, y + half * (0.02 + 0.09 * row), wide, half * 0.016
        )
        canvas.shape(line, mix(stage.light.sky[-1][1], (255, 255, 255), 0.5), alpha=0.45)
