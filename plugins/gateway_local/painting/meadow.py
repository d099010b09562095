"""Ground that is grass, snow or a village: hills, lakes, flowers and what frames them."""

import numpy as np

from gateway_local.painting import arrange, curves, houses, plants, relief, trees
from gateway_local.painting import water as waters
from gateway_local.painting.animals import fish
from gateway_local.painting.chance import coin
from gateway_local.painting.colours import Rgb
from gateway_local.painting.stage import Stage
from gateway_local.painting.things import fence, rock

_SNOW: Rgb = (236, 241, 250)
_ROWS = ((0.1, 0.0), (0.145, 0.17), (0.2, 0.4))  # Of a village: size and depth.
_SQUARE = 0.18  # Of the width to either side of the middle, kept free in front.


def ground_colour(stage: Stage) -> Rgb:
    """Return the colour of grass, or of what lies on it, in this season."""
    scene = stage.scene
    asked = scene.land_colours.get("field") or scene.land_colours.get("hills")
    if asked is not None:
        return asked
    if scene.weather == "snow" or scene.season == "winter" or scene.has("snow", "snowman"):
        return _SNOW
    if scene.has("desert", "pyramid", "cactus"):
        return (224, 180, 116)
    return (172, 146, 84) if scene.season == "autumn" else (112, 156, 80)


def paint_meadow(stage: Stage) -> None:
    """Paint the near ground and what belongs to it, from the village to single flowers."""
    scene, unit = stage.scene, stage.unit
    colour = ground_colour(stage)
    near = relief.hills(
        stage, base=stage.horizon + unit * 0.075, tall=unit * 0.05, colour=colour, distance=0.16
    )
    top = float(near.max())
    if scene.has("village"):
        _village(stage, near)
    if scene.has_lake:
        shore = stage.horizon + min(stage.height - stage.horizon, unit * 0.5)
        waters.lake(
            stage,
            top=stage.horizon + unit * 0.004,
            bottom=stage.horizon + (shore - stage.horizon) * 0.62,
        )
        arrange.float_on(stage, scene.subjects)
        leap(stage)
    if scene.has("river"):
        waters.river(stage, top=top)
    if scene.has("road"):
        waters.river(stage, top=top, kind="road")
    if scene.has("waterfall"):
        waters.waterfall(
            stage,
            x=stage.width / 2,
            top=stage.horizon - unit * 0.16,
            foot=stage.ground(0.5),
            wide=unit * 0.15,
        )
    bare = colour == _SNOW or scene.has("snow")
    if not bare:
        start = (
            stage.ground(0.66)
            if scene.has_lake or scene.has("river", "road")
            else top + unit * 0.02
        )
        plants.grass(stage, top=start, colour=colour)
    if (
        scene.has("field")
        and not bare
        and not scene.has("flower", "sunflower")
        and not scene.has_lake
    ):
        plants.meadow(stage, top=top + unit * 0.04, colour=None, count=70)
    fences = scene.first("fence")
    if fences is not None:
        fence(stage, stage.ground(0.4), unit * 0.14, fences.colour)
    _frame(stage)


def leap(stage: Stage) -> None:
    """Let the fish that the scene asks for leap out of the water."""
    subject, chance, unit = stage.scene.first("fish"), stage.branch(), stage.unit
    for number in range(subject.count if subject else 0):
        tone = subject.colour if subject else None
        x = stage.width / 2 + (number % 5 - 1) * unit * 0.16 + float(chance.normal()) * unit * 0.05
        y = stage.horizon + unit * (0.1 + 0.03 * (number % 3))
        size = unit * (0.24 if number == 0 else 0.16)
        stage.canvas.shape(
            curves.oval(x, y + size * 0.4, size * 0.6, size * 0.05), (236, 246, 252), alpha=0.7
        )
        fish(stage, x, y, size, tone, flip=coin(chance))
        drops = np.stack(
            [x + chance.normal(0, 0.4, 12) * size, y + chance.uniform(0.0, 0.4, 12) * size], axis=1
        )
        stage.canvas.dots(drops, (236, 246, 252), size * 0.025, alpha=0.9)


def _village(stage: Stage, line: np.ndarray) -> None:
    """Scatter houses, and a church, over the hills: small ones behind large ones."""
    chance, unit = stage.branch(), stage.unit
    has_church = False
    church_at = stage.width * float(chance.uniform(0.4, 0.6))
    for row, (size, depth) in enumerate(_ROWS):
        gap = unit * size * 1.75
        start = float(chance.uniform(-0.4, 0.0)) * gap
        for x in np.arange(start, stage.width + gap / 2, gap).tolist():
            at = x + float(chance.uniform(-0.16, 0.16)) * gap
            column = int(np.clip(at, 0, len(line) - 1))
            y = float(line[column]) + unit * depth * 0.7 + unit * 0.012
            grown = unit * size * float(chance.uniform(0.85, 1.1))
            if row == 0 and abs(at - church_at) <= gap * 0.6 and not has_church:
                has_church = True
                houses.church(stage, at, y, grown * 2.6)
            elif row == len(_ROWS) - 1 and abs(at / stage.width - 0.5) < _SQUARE:
                continue
            else:
                houses.house(stage, at, y, grown, distance=0.3 - 0.15 * row)
            if coin(chance, 0.7):
                trees.tree(
                    stage, "pine", at + gap * 0.48, y, grown * 1.25, distance=0.22 - 0.1 * row
                )


def _frame(stage: Stage) -> None:
    """Set trees at the sides of a landscape that names nothing to look at."""
    scene, unit = stage.scene, stage.unit
    if any(subject.kind in arrange.ON_LAND for subject in scene.subjects) or scene.has("village"):
        return
    chance = stage.branch()
    kind = "pine" if scene.has("mountains", "lake", "forest", "snow") else "tree"
    sides = (-1.0, 1.0) if coin(chance) else (1.0, -1.0)
    spread = min(stage.width / 2, unit * 0.9)
    for number, side in enumerate(sides):
        for tree_number in range(4 - number * 2):
            x = stage.width / 2 + side * spread * float(chance.uniform(0.66, 1.0))
            y = stage.horizon + unit * (0.16 + 0.06 * tree_number)
            size = unit * (0.24 + 0.05 * tree_number) * float(chance.uniform(0.9, 1.15))
            trees.tree(stage, kind, x, min(y, stage.height + unit * 0.02), size)
    for _ in range(3):
        x = stage.width / 2 + float(chance.uniform(-1, 1)) * spread
        rock(stage, x, stage.ground(float(chance.uniform(0.6, 0.9))), unit * 0.05)
