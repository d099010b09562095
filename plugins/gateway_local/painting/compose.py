"""From a scene to a picture: which place it is, where the light stands, and who paints it."""

from PIL import Image

from gateway_local.painting import abstract, arrange, cosmos, landscape
from gateway_local.painting.animals import beast, fish
from gateway_local.painting.canvas import Canvas
from gateway_local.painting.chance import Generator, branch, coin, generator
from gateway_local.painting.light import light_of
from gateway_local.painting.people import astronaut
from gateway_local.painting.room import room
from gateway_local.painting.scene import Scene
from gateway_local.painting.seabed import seabed
from gateway_local.painting.sight import place_of
from gateway_local.painting.sky import comets
from gateway_local.painting.stage import Stage
from gateway_local.painting.styles import stylise
from gateway_local.painting.weather import paint_weather
from gateway_local.painting.woods import woods

_OWN_WAY = ("rocket", "astronaut")


def compose(scene: Scene, width: int, height: int, seed: int) -> tuple[Image.Image, str]:
    """Return the picture of `scene`, and the place that it shows.

    The same scene, size and seed always give the same pixels, with the same libraries.
    """
    chance = generator(scene.prompt, seed, width, height)
    stage = _stage(scene, width, height, branch(chance))
    place = place_of(scene)
    match place:
        case "abstract":
            place = f"abstract {abstract.paint_abstract(stage)}"
        case "space":
            _space(stage)
        case "underwater":
            _underwater(stage)
        case "indoors":
            room(stage)
            arrange.fly(stage, scene.subjects)
            arrange.stand(stage, scene.subjects)
        case "woods":
            woods(stage)
            arrange.fly(stage, scene.subjects)
            arrange.stand(stage, tuple(s for s in scene.subjects if s.kind not in {"tree", "pine"}))
            paint_weather(stage)
        case _:
            landscape.paint_landscape(stage)
    return stylise(stage.canvas.finish(), scene.style, branch(chance)), place


def _stage(scene: Scene, width: int, height: int, chance: Generator) -> Stage:
    canvas = Canvas(width, height, is_outline=scene.style == "line")
    stage = Stage(canvas, scene, light_of(scene), chance, height * 0.6, width * 0.7, height * 0.2)
    stage.horizon = height * landscape.horizon_of(stage)
    side = 1.0 if coin(chance) else -1.0
    low = scene.time in {"dawn", "sunset"}
    away = float(chance.uniform(0.04, 0.14) if low else chance.uniform(0.18, 0.3))
    stage.sun_x = width / 2 + side * min(width * away, stage.unit * 0.5)
    lift = float(chance.uniform(0.0, 0.07)) * stage.unit if low else 0.0
    high = max(stage.unit * 0.1, stage.horizon - stage.unit * float(chance.uniform(0.34, 0.44)))
    stage.sun_y = stage.horizon - lift if low else high
    if low and scene.has("mountains", "hills", "forest", "city"):
        stage.sun_y = stage.horizon - stage.unit * float(chance.uniform(0.2, 0.27))
    if scene.style == "neon":
        stage.sun_y = stage.horizon - min(stage.unit * 0.42, stage.horizon * 0.5)
        stage.sun_x = width / 2
    if place_of(scene) == "indoors":
        stage.horizon = height * 0.62
    return stage


def _space(stage: Stage) -> None:
    cosmos.paint_space(stage)
    scene, unit = stage.scene, stage.unit
    planet = scene.first("planet")
    count = planet.count if planet else 2
    cosmos.planets(stage, count, planet.word if planet else "", planet.colour if planet else None)
    comets(stage)
    middle = (stage.width / 2, stage.height / 2)
    rocket, walker = scene.first("rocket"), scene.first("astronaut")
    if rocket is not None:
        for number in range(rocket.count):
            x = middle[0] - unit * (0.1 - 0.2 * number + 0.1 * (rocket.count - 1))
            y = middle[1] - unit * (0.02 - 0.06 * number)
            size = unit * (0.5 if rocket.count == 1 else 0.36)
            arrange.IN_AIR["rocket"].draw(stage, x, y, size, rocket.colour)
    if walker is not None:
        shift = 0.24 if rocket is not None else 0.0
        for number in range(walker.count):
            x = middle[0] + unit * (shift + 0.3 * number - 0.15 * (walker.count - 1))
            y = middle[1] + unit * (0.22 if rocket is not None else 0.02)
            size = unit * (0.38 if rocket is not None or walker.count > 1 else 0.6)
            astronaut(stage, x, y, size, walker.colour)
    others = tuple(s for s in scene.subjects if s.kind not in _OWN_WAY)
    arrange.fly(stage, others)
    arrange.stand(stage, others)


def _underwater(stage: Stage) -> None:
    seabed(stage)
    stage.horizon = stage.height * 0.72
    arrange.stand(stage, stage.scene.subjects)
    chance, unit = stage.branch(), stage.unit
    for kind in ("whale", "fish"):
        subject = stage.scene.first(kind)
        if subject is None:
            continue
        for number in range(subject.count):
            part = (number + 0.5) / subject.count
            size = unit * (0.5 if kind == "whale" else 0.38) / (1 + 0.2 * (subject.count - 1))
            x = stage.width * (0.5 + (part - 0.5) * 0.9)
            y = stage.height * 0.46 + float(chance.uniform(-0.2, 0.2)) * unit * (subject.count > 1)
            flip = coin(chance)
            if kind == "whale":
                beast(stage, x, y + size * 0.3, size, subject.colour, kind="whale", flip=flip)
            else:
                fish(stage, x, y, size, subject.colour, flip=flip)
