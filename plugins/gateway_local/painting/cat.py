"""A cat that sits and looks at you, with a ball of yarn when there is one."""

import math
from collections.abc import Callable

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.colours import Rgb, darker, lighter, luma, mix
from gateway_local.painting.curves import Points
from gateway_local.painting.stage import Stage

_GINGER: Rgb = (226, 148, 78)
_BLACK = 60.0
_PINK: Rgb = (240, 158, 160)


def cat(
    stage: Stage, x: float, y: float, size: float, colour: Rgb | None, *, reaches: bool = False
) -> None:
    """Draw a sitting cat, `size` pixels tall; with `reaches` its right paw is lifted forward."""
    coat = colour or _GINGER
    canvas = stage.canvas
    pale = lighter(coat, 0.62 if luma(coat) > _BLACK else 0.2)
    stripe = darker(coat, 0.3)

    def at(px: float, py: float) -> tuple[float, float]:
        return (x + px * size, y - py * size)

    def soft(*points: tuple[float, float]) -> Points:
        return curves.smooth([at(px, py) for px, py in points])

    canvas.shape(
        curves.oval(x, y - size * 0.01, size * 0.46, size * 0.05), (20, 14, 16), alpha=0.26
    )
    tail = curves.ribbon(
        [at(-0.2, 0.1), at(-0.44, 0.06), at(-0.56, 0.22), at(-0.5, 0.42), at(-0.6, 0.54)],
        [size * 0.1, size * 0.1, size * 0.09, size * 0.085, size * 0.05],
    )
    tip = curves.oval(*at(-0.6, 0.54), size * 0.035)
    canvas.shape([tail, tip], stage.lit(coat), to=stage.lit(darker(coat, 0.22)))
    body = soft(
        (-0.13, 0.56),
        (-0.2, 0.4),
        (-0.31, 0.2),
        (-0.3, 0.05),
        (-0.16, 0.0),
        (0.16, 0.0),
        (0.3, 0.05),
        (0.31, 0.2),
        (0.2, 0.4),
        (0.13, 0.56),
    )
    canvas.shape(body, stage.lit(lighter(coat, 0.06)), to=stage.lit(darker(coat, 0.16)))
    canvas.shape(
        soft((0.0, 0.54), (-0.11, 0.42), (-0.1, 0.2), (0.0, 0.12), (0.1, 0.2), (0.11, 0.42)),
        stage.lit(pale),
        alpha=0.9,
    )
    for side in (-1.0, 1.0):
        for level in (0.36, 0.28, 0.2):
            mark = curves.ribbon(
                [at(side * (0.3 - 0.1 * level), level - 0.02), at(side * 0.19, level)],
                [size * 0.024, 0.0],
            )
            canvas.shape(mark, stage.lit(stripe), alpha=0.8)
        canvas.shape(
            soft(
                (side * 0.14, 0.2),
                (side * 0.28, 0.2),
                (side * 0.34, 0.08),
                (side * 0.3, 0.0),
                (side * 0.15, 0.0),
            ),
            stage.lit(coat),
            to=stage.lit(darker(coat, 0.14)),
        )
        if side < 0 or not reaches:
            leg = curves.ribbon(
                [at(side * 0.08, 0.36), at(side * 0.085, 0.04)], [size * 0.1, size * 0.09]
            )
            canvas.shape(
                [leg, curves.oval(*at(side * 0.09, 0.035), size * 0.062, size * 0.042)],
                stage.lit(lighter(coat, 0.1)),
                to=stage.lit(pale),
            )
    _head(stage, at, size, coat=coat, pale=pale, stripe=stripe)
    if reaches:
        arm = curves.ribbon(
            [at(0.1, 0.36), at(0.22, 0.3), at(0.4, 0.22)], [size * 0.11, size * 0.1, size * 0.09]
        )
        canvas.shape(
            [arm, curves.oval(*at(0.41, 0.215), size * 0.06, size * 0.05)],
            stage.lit(lighter(coat, 0.1)),
            to=stage.lit(mix(coat, pale, 0.5)),
        )
        for toe in (-0.02, 0.01, 0.04):
            line = curves.polygon(at(0.43 + toe * 0.4, 0.225 - toe), at(0.465, 0.215 - toe))
            canvas.stroke(line, stage.lit(stripe), size * 0.007)


def _head(
    stage: Stage,
    at: Callable[[float, float], tuple[float, float]],
    size: float,
    *,
    coat: Rgb,
    pale: Rgb,
    stripe: Rgb,
) -> None:
    canvas = stage.canvas
    for side in (-1.0, 1.0):
        ear = curves.smooth(
            [
                at(side * 0.23, 0.72),
                at(side * 0.255, 0.98),
                at(side * 0.235, 1.0),
                at(side * 0.06, 0.88),
            ],
            steps=5,
        )
        canvas.shape(ear, stage.lit(coat), to=stage.lit(darker(coat, 0.1)))
        inner = curves.smooth(
            [at(side * 0.205, 0.78), at(side * 0.222, 0.93), at(side * 0.1, 0.86)], steps=5
        )
        canvas.shape(inner, stage.lit(_PINK), alpha=0.85)
    head = curves.smooth(
        [
            at(0.0, 0.915),
            at(-0.16, 0.885),
            at(-0.26, 0.76),
            at(-0.275, 0.65),
            at(-0.2, 0.55),
            at(0.0, 0.5),
            at(0.2, 0.55),
            at(0.275, 0.65),
            at(0.26, 0.76),
            at(0.16, 0.885),
        ]
    )
    canvas.shape(head, stage.lit(lighter(coat, 0.12)), to=stage.lit(darker(coat, 0.04)))
    for lane, long in ((-0.06, 0.08), (0.0, 0.1), (0.06, 0.08)):
        mark = curves.ribbon([at(lane, 0.91), at(lane * 0.8, 0.91 - long)], [size * 0.026, 0.0])
        canvas.shape(mark, stage.lit(stripe), alpha=0.85)
    muzzle = [
        curves.oval(*at(-0.06, 0.6), size * 0.085, size * 0.065),
        curves.oval(*at(0.06, 0.6), size * 0.085, size * 0.065),
    ]
    canvas.shape(muzzle, stage.lit(pale), to=stage.lit(mix(pale, coat, 0.2)))
    for side in (-1.0, 1.0):
        _eye(stage, at(side * 0.12, 0.71), size)
        cheek = curves.oval(*at(side * 0.2, 0.61), size * 0.035, size * 0.022)
        canvas.shape(cheek, stage.lit(_PINK), alpha=0.5)
        for lift in (-0.025, 0.0, 0.025):
            hair = curves.polygon(
                at(side * 0.1, 0.6 + lift * 0.4), at(side * 0.38, 0.61 + lift * 2)
            )
            canvas.stroke(hair, stage.lit((255, 252, 246)), size * 0.005, alpha=0.85)
        smile = curves.smooth(
            [at(0.0, 0.605), at(side * 0.03, 0.575), at(side * 0.07, 0.588)], closed=False
        )
        canvas.stroke(smile, stage.lit(darker(coat, 0.6)), size * 0.009)
    nose = curves.smooth([at(-0.028, 0.642), at(0.028, 0.642), at(0.0, 0.608)], steps=4)
    canvas.shape(nose, stage.lit((214, 100, 108)))


def _eye(stage: Stage, middle: tuple[float, float], size: float) -> None:
    canvas, (x, y) = stage.canvas, middle
    canvas.shape(curves.oval(x, y, size * 0.062, size * 0.068), stage.lit((40, 28, 26)))
    canvas.shape(
        curves.oval(x, y, size * 0.053, size * 0.059),
        stage.lit((150, 200, 96)),
        to=stage.lit((90, 150, 70)),
    )
    canvas.shape(curves.oval(x, y, size * 0.03, size * 0.05), (20, 16, 18))
    canvas.shape(curves.oval(x - size * 0.018, y - size * 0.022, size * 0.017), (255, 255, 255))
    canvas.dots(np.array([(x + size * 0.018, y + size * 0.02)]), (255, 255, 255), size * 0.008)


def yarn(stage: Stage, x: float, y: float, size: float, colour: Rgb | None) -> None:
    """Draw a ball of yarn resting at (x, y), `size` pixels across, and its loose end."""
    wool = colour or (206, 70, 96)
    canvas, radius = stage.canvas, size / 2
    cx, cy = x, y - radius
    loose = [
        (cx - radius * 0.2, y - radius * 0.05),
        (cx + radius * 1.2, y + radius * 0.1),
        (cx + radius * 2.0, y - radius * 0.2),
        (cx + radius * 2.5, y + radius * 0.25),
        (cx + radius * 1.7, y + radius * 0.5),
        (cx + radius * 2.9, y + radius * 0.6),
    ]
    canvas.stroke(
        curves.smooth(loose, closed=False, steps=12), stage.lit(darker(wool, 0.1)), radius * 0.09
    )
    canvas.shape(curves.oval(cx, y, radius * 0.95, radius * 0.14), (20, 14, 16), alpha=0.28)
    canvas.shape(
        curves.oval(cx, cy, radius), stage.lit(lighter(wool, 0.12)), to=stage.lit(darker(wool, 0.3))
    )
    for family, (turn, flat) in enumerate(((0.5, 0.3), (-0.7, 0.5), (1.5, 0.62))):
        for ring in (-0.62, -0.34, -0.06, 0.22, 0.5):
            span = math.sqrt(max(0.0, 1 - ring * ring)) * 0.96
            angles = np.linspace(0, math.pi, 22)
            arc = np.stack(
                [np.cos(angles) * span, ring + np.sin(angles) * flat * span * 0.6], axis=1
            )
            away = np.hypot(arc[:, 0], arc[:, 1])[:, None]
            held = arc * np.minimum(1.0, 0.96 / np.maximum(away, 0.01)) * radius
            thread = curves.moved(curves.turned(held, turn), cx, cy)
            tone = (
                lighter(wool, 0.34)
                if family == 0
                else (darker(wool, 0.24) if family == 1 else lighter(wool, 0.16))
            )
            canvas.stroke(thread, stage.lit(tone), radius * 0.05, alpha=0.8)
