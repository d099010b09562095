"""Houses and churches, lit from inside when it is dark or cold."""

from gateway_local.painting import curves
from gateway_local.painting.chance import coin
from gateway_local.painting.colours import Rgb, darker, lighter, mix
from gateway_local.painting.curves import Points
from gateway_local.painting.stage import Stage

LAMP: Rgb = (255, 206, 110)

SNOW: Rgb = (246, 248, 252)

_FAR = 0.5
WALLS: tuple[Rgb, ...] = (
    (214, 186, 146),
    (196, 112, 86),
    (226, 214, 190),
    (150, 166, 178),
    (184, 148, 112),
)


def house(
    stage: Stage,
    x: float,
    y: float,
    size: float,
    colour: Rgb | None = None,
    *,
    distance: float = 0.0,
) -> None:
    """Draw a house seen at an angle, `size` pixels from the ground to its chimney."""
    chance, canvas = stage.branch(), stage.canvas
    wall = colour or WALLS[int(chance.integers(len(WALLS)))]
    roof = (122, 62, 52) if colour is None else darker(mix(colour, (90, 70, 66), 0.5), 0.3)
    side = 1.0 if coin(chance) else -1.0

    def at(px: float, py: float) -> tuple[float, float]:
        return (x + side * px * size, y - py * size)

    def part(*points: tuple[float, float]) -> Points:
        return curves.polygon(*[at(px, py) for px, py in points])

    def lit(tone: Rgb) -> Rgb:
        return stage.lit(tone, distance)

    if distance < _FAR:
        canvas.shape(
            part((-0.52, 0.0), (0.62, 0.0), (0.8, -0.05), (-0.4, -0.06)), (10, 14, 20), alpha=0.25
        )
    canvas.shape(part((0.26, 0.62), (0.26, 1.0), (0.37, 1.0), (0.37, 0.6)), lit(darker(roof, 0.2)))
    _smoke(stage, at(0.31, 1.02), size)
    canvas.shape(part((0.0, 0.0), (0.6, 0.0), (0.6, 0.48), (0.0, 0.48)), lit(darker(wall, 0.2)))
    gable = part((-0.5, 0.0), (0.0, 0.0), (0.0, 0.48), (-0.25, 0.88), (-0.5, 0.48))
    canvas.shape(gable, lit(lighter(wall, 0.08)), to=lit(darker(wall, 0.06)))
    slope = part((-0.27, 0.92), (0.36, 0.92), (0.66, 0.42), (0.0, 0.42))
    cold = is_cold(stage)
    cover = mix(roof, SNOW, 0.94) if cold else roof
    canvas.shape(slope, lit(cover), to=lit(darker(cover, 0.14 if cold else 0.24)))
    for row in (0.2, 0.4, 0.6, 0.8):
        if not cold and size > stage.unit * 0.1:
            course = part(
                (-0.27 + 0.27 * row, 0.92 - 0.5 * row), (0.36 + 0.3 * row, 0.92 - 0.5 * row)
            )
            canvas.stroke(course, lit(darker(roof, 0.34)), size * 0.006, alpha=0.6)
    eave = part((-0.56, 0.4), (-0.27, 0.93), (0.03, 0.42), (0.0, 0.48), (-0.26, 0.85), (-0.5, 0.42))
    canvas.shape(eave, lit(darker(cover, 0.3 if not cold else 0.04)))
    door = part((-0.31, 0.0), (-0.19, 0.0), (-0.19, 0.27), (-0.31, 0.27))
    canvas.shape(door, lit((92, 60, 44)), to=lit((66, 42, 34)))
    for left, foot, wide, high in (
        (-0.46, 0.2, 0.11, 0.16),
        (-0.15, 0.2, 0.11, 0.16),
        (-0.305, 0.52, 0.11, 0.13),
        (0.1, 0.16, 0.14, 0.2),
        (0.36, 0.16, 0.14, 0.2),
    ):
        window(stage, [at(left, foot), at(left + wide, foot + high)], distance, size)


def window(stage: Stage, corners: list[tuple[float, float]], distance: float, size: float) -> None:
    """Draw a window between two corners; a lamp is on behind it when it is dark or cold."""
    (x0, y0), (x1, y1) = corners
    left, right, top, bottom = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    canvas = stage.canvas
    dark = stage.light.is_dark or is_cold(stage)
    edge = size * 0.012
    frame = curves.box(left - edge, top - edge, right + edge, bottom + edge)
    canvas.shape(frame, stage.lit((246, 240, 228), distance))
    pane = curves.box(left, top, right, bottom)
    if dark:
        canvas.shape(pane, (255, 232, 160), to=(255, 180, 84))
        canvas.glow((left + right) / 2, (top + bottom) / 2, size * 0.2, LAMP, 0.35)
    else:
        canvas.shape(
            pane, stage.lit((124, 160, 186), distance), to=stage.lit((66, 92, 118), distance)
        )
    cross_x, cross_y = (left + right) / 2, (top + bottom) / 2
    bar = stage.lit((240, 232, 216), distance)
    canvas.stroke(curves.polygon((cross_x, top), (cross_x, bottom)), bar, edge)
    canvas.stroke(curves.polygon((left, cross_y), (right, cross_y)), bar, edge)


def is_cold(stage: Stage) -> bool:
    """Return whether snow lies."""
    return stage.scene.weather == "snow" or stage.scene.season == "winter"


def _smoke(stage: Stage, at: tuple[float, float], size: float) -> None:
    chance = stage.branch()
    for puff in range(7):
        part = puff / 6
        x = at[0] + size * (0.04 + 0.26 * part**1.4)
        y = at[1] - size * 0.42 * part
        radius = size * (0.025 + 0.06 * part) * float(chance.uniform(0.85, 1.15))
        tone = mix(stage.light.cloud_lit, stage.light.cloud_shade, 0.4)
        stage.canvas.shape(curves.oval(x, y, radius), tone, alpha=0.34 * (1 - 0.7 * part))


def church(stage: Stage, x: float, y: float, size: float, colour: Rgb | None = None) -> None:
    """Draw a small church with a pointed steeple, `size` pixels tall."""
    wall, canvas = colour or (232, 226, 212), stage.canvas
    cold = is_cold(stage)
    roof = SNOW if cold else (96, 72, 70)
    nave = curves.box(x - size * 0.02, y - size * 0.3, x + size * 0.42, y)
    canvas.shape(nave, stage.lit(darker(wall, 0.14)))
    cover = curves.polygon(
        (x - size * 0.02, y - size * 0.48),
        (x + size * 0.38, y - size * 0.48),
        (x + size * 0.46, y - size * 0.28),
        (x - size * 0.02, y - size * 0.28),
    )
    canvas.shape(cover, stage.lit(roof), to=stage.lit(darker(roof, 0.16)))
    tower = curves.box(x - size * 0.2, y - size * 0.56, x, y)
    canvas.shape(tower, stage.lit(wall), to=stage.lit(darker(wall, 0.1)))
    spire = curves.polygon(
        (x - size * 0.23, y - size * 0.55),
        (x - size * 0.1, y - size * 0.95),
        (x + size * 0.03, y - size * 0.55),
    )
    canvas.shape(spire, stage.lit(roof), to=stage.lit(darker(roof, 0.24)))
    mast = curves.polygon((x - size * 0.1, y - size * 0.95), (x - size * 0.1, y - size))
    canvas.stroke(mast, stage.lit((70, 64, 60)), size * 0.01)
    arm = curves.polygon((x - size * 0.125, y - size * 0.98), (x - size * 0.075, y - size * 0.98))
    canvas.stroke(arm, stage.lit((70, 64, 60)), size * 0.01)
    for left in (-0.13, 0.07, 0.19, 0.31):
        foot = 0.34 if left < 0 else 0.08
        window(
            stage,
            [
                (x + left * size, y - foot * size),
                (x + (left + 0.06) * size, y - (foot + 0.13) * size),
            ],
            0.0,
            size * 0.6,
        )
    door = curves.box(x - size * 0.14, y - size * 0.17, x - size * 0.06, y)
    canvas.shape(door, stage.lit((88, 58, 44)))
