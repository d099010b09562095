"""People and astronauts."""

import numpy as np

from gateway_local.painting import curves
from gateway_local.painting.colours import Rgb, darker, from_hue, lighter, mix
from gateway_local.painting.curves import Points
from gateway_local.painting.stage import Stage

_SKINS: tuple[Rgb, ...] = ((246, 206, 172), (214, 160, 116), (160, 108, 72), (112, 74, 52))
_HAIRS: tuple[Rgb, ...] = ((48, 36, 32), (98, 62, 38), (196, 148, 78), (120, 56, 34))


def person(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw somebody who stands at (x, y) and looks into the picture, `size` pixels tall."""
    chance, canvas = stage.branch(), stage.canvas
    coat = colour or from_hue(float(chance.random()), 0.55, 0.75)
    skin = _SKINS[int(chance.integers(len(_SKINS)))]
    hair = _HAIRS[int(chance.integers(len(_HAIRS)))]
    trousers: Rgb = (62, 66, 92)

    def limb(points: list[tuple[float, float]], widths: list[float]) -> Points:
        spine = [(x + px * size, y - py * size) for px, py in points]
        return curves.ribbon(spine, [width * size for width in widths])

    canvas.shape(curves.oval(x, y, size * 0.2, size * 0.025), (10, 12, 20), alpha=0.28)
    stride = float(chance.uniform(0.03, 0.08))
    for side in (-1.0, 1.0):
        leg = limb(
            [(side * 0.04, 0.46), (side * stride, 0.24), (side * stride * 1.2, 0.02)],
            [0.1, 0.08, 0.06],
        )
        tone = stage.lit(trousers if side > 0 else darker(trousers, 0.2))
        canvas.shape(leg, tone)
        shoe = curves.oval(
            x + (side * stride * 1.2 + 0.015) * size, y - size * 0.015, size * 0.042, size * 0.02
        )
        canvas.shape(shoe, stage.lit((44, 36, 36)))
    body = curves.smooth(
        [
            (x + px * size, y - py * size)
            for px, py in (
                (-0.1, 0.8),
                (-0.12, 0.62),
                (-0.1, 0.42),
                (0.1, 0.42),
                (0.12, 0.62),
                (0.1, 0.8),
                (0.0, 0.83),
            )
        ]
    )
    for side in (-1.0, 1.0):
        arm = limb(
            [(side * 0.1, 0.78), (side * 0.16, 0.62), (side * 0.15, 0.47)], [0.07, 0.06, 0.045]
        )
        canvas.shape(arm, stage.lit(darker(coat, 0.14)))
        hand = curves.oval(x + side * 0.15 * size, y - 0.45 * size, size * 0.026)
        canvas.shape(hand, stage.lit(skin))
    canvas.shape(body, stage.lit(lighter(coat, 0.1)), to=stage.lit(darker(coat, 0.18)))
    neck = curves.box(x - size * 0.026, y - size * 0.87, x + size * 0.026, y - size * 0.8)
    canvas.shape(neck, stage.lit(darker(skin, 0.12)))
    canvas.shape(curves.oval(x, y - size * 0.91, size * 0.064, size * 0.08), stage.lit(skin))
    locks = curves.smooth(
        [
            (x + px * size, y - py * size)
            for px, py in (
                (-0.07, 0.86),
                (-0.078, 0.94),
                (-0.045, 1.0),
                (0.045, 1.0),
                (0.078, 0.94),
                (0.07, 0.86),
                (0.035, 0.84),
                (-0.035, 0.84),
            )
        ],
        steps=4,
    )
    canvas.shape(locks, stage.lit(hair))


def astronaut(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw an astronaut who floats around (x, y), waving, `size` pixels tall."""
    canvas = stage.canvas
    suit: Rgb = (240, 242, 248)
    trim = colour or (226, 116, 54)

    def lay(points: list[tuple[float, float]] | Points) -> Points:
        return curves.moved(curves.turned(np.asarray(points, dtype=float) * size, -0.2), x, y)

    def disc(px: float, py: float, rx: float, ry: float | None = None, turn: float = 0.0) -> Points:
        away = rx if ry is None else ry
        angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        flat = np.stack([np.cos(angles) * rx, np.sin(angles) * away], axis=1)
        return lay(curves.moved(curves.turned(flat, turn), px, py))

    shade: Rgb = (168, 176, 198)
    pack = curves.smooth(
        [(-0.2, -0.2), (0.2, -0.2), (0.23, 0.0), (0.21, 0.2), (-0.21, 0.2), (-0.23, 0.0)], steps=4
    )
    canvas.shape(lay(pack), (150, 156, 172), to=(92, 98, 120))
    limbs = (
        ([(0.09, 0.18), (0.16, 0.34), (0.12, 0.48)], 0.14),
        ([(-0.09, 0.18), (-0.12, 0.36), (-0.22, 0.46)], 0.14),
        ([(0.15, -0.12), (0.3, -0.16), (0.36, -0.34)], 0.11),
        ([(-0.15, -0.12), (-0.28, 0.0), (-0.33, 0.14)], 0.11),
    )
    for line, wide in limbs:
        band = curves.ribbon(line, [wide * 1.1, wide, wide * 0.95])
        canvas.shape(lay(band), suit, to=shade)
        end_x, end_y = line[-1]
        if line[0][1] > 0:
            canvas.shape(disc(end_x + 0.015, end_y + 0.02, 0.09, 0.065), (108, 114, 136))
        else:
            canvas.shape(disc(end_x, end_y, 0.065), lighter(trim, 0.1), to=darker(trim, 0.15))
        mid_x, mid_y = line[1]
        canvas.shape(disc(mid_x, mid_y, wide * 0.58, 0.02, 0.4), trim, alpha=0.9)
    body = curves.smooth(
        [(-0.15, -0.2), (0.15, -0.2), (0.19, 0.0), (0.15, 0.22), (-0.15, 0.22), (-0.19, 0.0)],
        steps=5,
    )
    canvas.shape(lay(body), suit, to=mix(suit, shade, 0.8))
    panel = lay([(-0.09, -0.08), (0.09, -0.08), (0.09, 0.05), (-0.09, 0.05)])
    canvas.shape(panel, (196, 202, 216))
    for px, tone in ((-0.05, (220, 70, 64)), (0.0, (88, 190, 110)), (0.05, (70, 140, 226))):
        canvas.shape(disc(px, -0.03, 0.017), tone)
    canvas.shape(lay([(-0.06, 0.01), (0.06, 0.01), (0.06, 0.03), (-0.06, 0.03)]), (120, 128, 150))
    canvas.shape(disc(0.0, -0.36, 0.205, 0.195), suit, to=shade)
    canvas.shape(disc(0.012, -0.355, 0.155, 0.135), trim)
    canvas.shape(disc(0.012, -0.355, 0.14, 0.12), (66, 92, 150), to=(18, 24, 58))
    canvas.shape(disc(-0.045, -0.395, 0.036, 0.026, -0.5), (236, 246, 255), alpha=0.85)
    canvas.shape(disc(0.075, -0.305, 0.022, 0.012, -0.6), (150, 200, 255), alpha=0.6)
    mast = lay([(0.16, -0.47), (0.2, -0.6)])
    canvas.stroke(mast, (190, 196, 210), size * 0.014)
    canvas.shape(disc(0.2, -0.61, 0.02), (226, 70, 64))
