"""What rolls: cars and trains."""

from gateway_local.painting import curves
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.curves import Points
from gateway_local.painting.stage import Stage


def car(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a car in profile; `size` is its height."""
    paint, canvas = colour or (200, 52, 48), stage.canvas

    def lay(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x + px * size, y - py * size) for px, py in points]

    canvas.shape(curves.oval(x, y, size * 1.3, size * 0.09), (10, 12, 20), alpha=0.3)
    body = curves.smooth(
        lay(
            (-1.2, 0.2),
            (-1.22, 0.52),
            (-0.78, 0.62),
            (-0.5, 0.96),
            (0.3, 0.98),
            (0.66, 0.62),
            (1.14, 0.5),
            (1.22, 0.2),
            (0.0, 0.16),
        ),
        steps=5,
    )
    canvas.shape(body, stage.lit(lighter(paint, 0.2)), to=stage.lit(darker(paint, 0.25)))
    glass = curves.polygon(*lay((-0.64, 0.6), (-0.44, 0.88), (-0.08, 0.89), (-0.08, 0.6)))
    other = curves.polygon(*lay((0.0, 0.6), (0.0, 0.89), (0.28, 0.88), (0.52, 0.6)))
    canvas.shape([glass, other], stage.lit((170, 206, 224)), to=stage.lit((98, 132, 158)))
    for wheel in (-0.7, 0.72):
        cx, cy = lay((wheel, 0.19))[0]
        canvas.shape(curves.oval(cx, cy, size * 0.24), stage.lit((34, 34, 40)))
        canvas.shape(curves.oval(cx, cy, size * 0.11), stage.lit((190, 194, 202)))
    lamp = lay((1.16, 0.42))[0]
    canvas.shape(curves.oval(*lamp, size * 0.06), (255, 244, 196))
    if stage.light.is_dark:
        canvas.glow(*lamp, size * 0.6, (255, 240, 180), 0.8)


def train(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a steam engine with two coaches; `size` is its height."""
    paint, canvas = colour or (40, 92, 84), stage.canvas

    def box(left: float, low: float, right: float, high: float) -> Points:
        return curves.box(x + left * size, y - high * size, x + right * size, y - low * size)

    rail = curves.polygon((0, y), (stage.width, y))
    canvas.stroke(rail, stage.lit((92, 84, 80)), size * 0.05)
    for coach in (-3.5, -1.9):
        canvas.shape(
            box(coach, 0.2, coach + 1.5, 0.95),
            stage.lit(lighter(paint, 0.1)),
            to=stage.lit(darker(paint, 0.2)),
        )
        canvas.shape(box(coach - 0.04, 0.92, coach + 1.54, 1.02), stage.lit((70, 62, 60)))
        for pane in range(4):
            left = coach + 0.12 + pane * 0.34
            glass = (255, 222, 140) if stage.light.is_dark else stage.lit((196, 220, 230))
            canvas.shape(box(left, 0.52, left + 0.24, 0.8), glass)
    canvas.shape(box(-0.3, 0.2, 0.3, 1.12), stage.lit(darker(paint, 0.1)))
    canvas.shape(box(-0.38, 1.08, 0.38, 1.18), stage.lit((60, 56, 58)))
    canvas.shape(box(-0.16, 0.68, 0.16, 0.98), stage.lit((200, 220, 226)))
    canvas.shape(
        box(0.3, 0.3, 1.4, 0.84), stage.lit(lighter(paint, 0.16)), to=stage.lit(darker(paint, 0.3))
    )
    canvas.shape(box(1.08, 0.84, 1.26, 1.2), stage.lit((52, 50, 54)))
    plough = curves.polygon(
        (x + 1.4 * size, y - 0.36 * size),
        (x + 1.7 * size, y - 0.05 * size),
        (x + 1.36 * size, y - 0.05 * size),
    )
    canvas.shape(plough, stage.lit((176, 54, 48)))
    for wheel, radius in (
        (-3.2, 0.16),
        (-2.3, 0.16),
        (-1.6, 0.16),
        (-0.7, 0.16),
        (-0.05, 0.22),
        (0.5, 0.22),
        (1.05, 0.22),
    ):
        canvas.shape(
            curves.oval(x + wheel * size, y - radius * size, radius * size), stage.lit((40, 38, 42))
        )
        canvas.shape(
            curves.oval(x + wheel * size, y - radius * size, radius * size * 0.5),
            stage.lit((170, 60, 52)),
        )
    for puff in range(9):
        part = puff / 8
        radius = size * (0.12 + 0.24 * part)
        smoke = curves.oval(x + (1.17 - 1.9 * part) * size, y - (1.34 + 0.62 * part) * size, radius)
        canvas.shape(
            smoke, mix((240, 240, 244), stage.light.haze, 0.3), alpha=0.7 * (1 - 0.6 * part)
        )
