"""Pictures under a sky: what is far, what the ground is, and what stands on it."""

import numpy as np

from gateway_local.painting import arrange, city, curves, landmarks, plants, relief, sky, trees
from gateway_local.painting import water as waters
from gateway_local.painting.animals import beast, flock
from gateway_local.painting.chance import coin
from gateway_local.painting.colours import Rgb, lighter, mix
from gateway_local.painting.meadow import ground_colour, leap, paint_meadow
from gateway_local.painting.sight import ground_of
from gateway_local.painting.stage import Stage
from gateway_local.painting.weather import paint_weather

_CITY_WATER = ("sea", "beach", "lake", "river", "bridge", "boat", "ship")


def horizon_of(stage: Stage) -> float:
    """Return where between the top (0) and the lower edge (1) the ground begins."""
    scene = stage.scene
    if scene.has("city"):
        return 0.72
    if scene.has("flower", "sunflower") and not scene.has("sea"):
        return 0.5
    if ground_of(scene) == "sea":
        return 0.58
    return 0.6 if scene.has("mountains", "lake") else 0.58


def paint_landscape(stage: Stage) -> None:
    """Paint everything from the sky to the weather."""
    sky.paint_sky(stage)
    bird = stage.scene.first("bird")
    if bird is not None:
        flock(stage, bird.count, bird.colour)
    _floor(stage)
    _far(stage)
    match ground_of(stage.scene):
        case "city":
            _city(stage)
        case "sea":
            _sea(stage)
        case "desert":
            relief.dunes(stage)
        case _:
            paint_meadow(stage)
    arrange.fly(stage, stage.scene.subjects)
    arrange.stand(stage, stage.scene.subjects)
    _front(stage)
    paint_weather(stage)


def _floor(stage: Stage) -> None:
    """Lay plain ground, so that nothing shows through between far hills and near ones."""
    ground = curves.box(0, stage.horizon, stage.width, stage.height)
    stage.canvas.shape(
        ground, stage.lit(ground_colour(stage), 0.5), to=stage.lit(ground_colour(stage))
    )


def _far(stage: Stage) -> None:
    scene, unit = stage.scene, stage.unit
    room = min(stage.horizon, unit * 1.1)
    base = stage.horizon + unit * 0.004
    if scene.has("mountains"):
        tall = min(room * 0.78, unit * 0.5)
        relief.mountains(stage, base=base, tall=tall)
        _foot(stage, base)
    elif scene.has("volcano"):
        relief.hills(stage, base=base, tall=unit * 0.07, colour=(96, 120, 96), distance=0.6)
        relief.volcano(stage, base=base, tall=min(room * 0.62, unit * 0.4))
        _foot(stage, base)
    elif ground_of(scene) == "meadow":
        colour = ground_colour(stage)
        for layer in range(3 if scene.has("hills", "village") else 2):
            relief.hills(
                stage,
                base=stage.horizon + unit * (0.01 + 0.03 * layer),
                tall=unit * (0.15 - 0.03 * layer),
                colour=mix(colour, (92, 128, 112), 0.45 - 0.2 * layer),
                distance=0.7 - 0.22 * layer,
                waves=1.8 + 0.5 * layer,
            )
    if scene.has("forest"):
        _tree_line(stage, stage.horizon + unit * 0.01, unit * 0.16, 0.45)
        _tree_line(stage, stage.horizon + unit * 0.04, unit * 0.2, 0.25)


def _foot(stage: Stage, base: float) -> None:
    """Let wooded hills hide the foot of what rises behind them."""
    if ground_of(stage.scene) == "sea":
        return
    unit, colour = stage.unit, mix(ground_colour(stage), (52, 92, 74), 0.7)
    relief.hills(stage, base=base + unit * 0.012, tall=unit * 0.07, colour=colour, distance=0.42)
    _tree_line(stage, base + unit * 0.016, unit * 0.075, 0.4)


def _tree_line(stage: Stage, base: float, tall: float, distance: float) -> None:
    chance = stage.branch()
    for x in np.arange(-tall, stage.width + tall, tall * 0.34).tolist():
        size = tall * float(chance.uniform(0.6, 1.1))
        at = x + float(chance.uniform(-0.1, 0.1)) * tall
        trees.tree(stage, "pine", at, base, size, distance=distance, chance=chance)


def _city(stage: Stage) -> None:
    unit, scene = stage.unit, stage.scene
    tall = min(stage.horizon * 0.94, unit * 0.72)
    city.skyline(stage, base=stage.horizon + 1, tall=tall)
    if stage.light.is_dark or scene.has(*_CITY_WATER):
        bridge = scene.first("bridge")
        if bridge is not None:
            landmarks.bridge(stage, stage.horizon - unit * 0.03, unit * 0.3, bridge.colour)
        waters.water(stage, top=stage.horizon, calm=0.72)
        arrange.float_on(stage, scene.subjects)
        return
    relief.hills(
        stage,
        base=stage.horizon + unit * 0.04,
        tall=unit * 0.03,
        colour=ground_colour(stage),
        distance=0.1,
    )
    chance = stage.branch()
    for x in np.arange(0, stage.width, unit * 0.09).tolist():
        size = unit * float(chance.uniform(0.07, 0.13))
        trees.tree(
            stage, "tree", x, stage.horizon + unit * 0.05, size, distance=0.15, chance=chance
        )


def _sea(stage: Stage) -> None:
    scene, unit = stage.scene, stage.unit
    bridge = scene.first("bridge")
    calm = 0.35 if scene.mood != "calm" else 0.8
    if scene.weather == "storm" or scene.mood == "dramatic":
        calm = 0.05
    if bridge is not None:
        landmarks.bridge(
            stage, stage.horizon + unit * 0.02, min(unit * 0.42, stage.horizon * 0.7), bridge.colour
        )
    waters.water(stage, top=stage.horizon, calm=calm)
    arrange.float_on(stage, scene.subjects)
    whale = scene.first("whale")
    if whale is not None:
        _surface(stage, whale.count, whale.colour)
    leap(stage)
    if scene.has("beach"):
        waters.beach(stage, shore=stage.ground(0.52))
        palms = scene.first("palm")
        if palms is None:
            side = 1.0 if stage.sun_x < stage.width / 2 else -1.0
            x = stage.width / 2 + side * min(stage.width * 0.36, unit * 0.5)
            trees.tree(stage, "palm", x, stage.ground(0.84), unit * 0.66)


def _surface(stage: Stage, count: int, colour: Rgb | None) -> None:
    """Let whales come up: their lower half stays under water."""
    chance, unit = stage.branch(), stage.unit
    for number in range(count):
        x = stage.width * (number + 0.5) / count + float(chance.uniform(-0.1, 0.1)) * unit
        y, size = stage.ground(0.36), unit * 0.3 / (1 + 0.3 * (count - 1))
        beast(stage, x, y + size * 0.2, size / 0.8, colour, kind="whale", flip=coin(chance))
        line = curves.oval(x, y + size * 0.16, size * 1.1, size * 0.2)
        stage.canvas.shape(line, stage.lit((52, 112, 146)), alpha=0.9)
        stage.canvas.shape(
            curves.oval(x, y - size * 0.02, size * 1.0, size * 0.02), (240, 248, 252), alpha=0.7
        )


def _front(stage: Stage) -> None:
    """Close the picture: blades of grass before the feet of flowers."""
    scene = stage.scene
    if scene.has("flower", "sunflower") and ground_of(scene) == "meadow":
        subject = scene.first("flower")
        tone = subject.colour if subject is not None else (250, 196, 60)
        if scene.has("field"):
            plants.meadow(stage, top=stage.ground(0.3), colour=tone, count=36)
        front = stage.ground(0.86)
        plants.grass(stage, top=front, colour=lighter(ground_colour(stage), 0.04), count=260)
