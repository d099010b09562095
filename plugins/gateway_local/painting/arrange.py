"""Where things stand: sizes, slots across the picture, and who is in front."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway_local.painting import (
    animals,
    boats,
    flight,
    houses,
    landmarks,
    people,
    plants,
    things,
    trees,
    vehicles,
)
from gateway_local.painting.animals import beast
from gateway_local.painting.cat import cat, yarn
from gateway_local.painting.chance import coin
from gateway_local.painting.colours import Rgb
from gateway_local.painting.outlines import BEASTS
from gateway_local.painting.scene import Subject
from gateway_local.painting.stage import Stage

_MIDDLE = 0.08  # This share of the width to either side of it.
_MODEST = 0.56  # What is smaller than this share of the picture may grow when it is alone.
_Draw = Callable[[Stage, float, float, float, Rgb | None], None]


@dataclass(frozen=True, slots=True)
class _Thing:
    """How a kind is drawn: its height in units of the shorter side, its depth on the ground."""

    draw: _Draw
    size: float
    depth: float
    wide: float = 1.0
    """Its width in heights."""
    above: float = 0.55
    """How far what flies reaches above its anchor, in heights."""


def _flower(kind: str) -> _Draw:
    def draw(stage: Stage, x: float, y: float, size: float, colour: Rgb | None) -> None:
        plants.flower(stage, x, y, size, colour, kind=kind)

    return draw


def _tree(kind: str) -> _Draw:
    def draw(stage: Stage, x: float, y: float, size: float, colour: Rgb | None) -> None:
        trees.tree(stage, kind, x, y, size, colour=colour)

    return draw


def _beast(kind: str) -> _Draw:
    def draw(stage: Stage, x: float, y: float, size: float, colour: Rgb | None) -> None:
        flip = _looks_left(stage, x)
        if kind == "sheep":
            animals.sheep(stage, x, y, size / 0.6, colour, flip=flip)
        else:
            beast(stage, x, y, size / BEASTS[kind].size, colour, kind=kind, flip=flip)

    return draw


def _looks_left(stage: Stage, x: float) -> bool:
    """Things look into the picture; one in the middle, either way."""
    away = x / stage.width - 0.5
    return away > 0 if abs(away) > _MIDDLE else coin(stage.branch())


def _cat(stage: Stage, x: float, y: float, size: float, colour: Rgb | None) -> None:
    cat(stage, x, y, size, colour, reaches=stage.scene.has("yarn", "ball"))


ON_LAND: Mapping[str, _Thing] = MappingProxyType(
    {
        "castle": _Thing(landmarks.castle, 0.62, 0.22, 1.2),
        "church": _Thing(houses.church, 0.52, 0.26, 0.7),
        "windmill": _Thing(landmarks.windmill, 0.54, 0.3, 0.8),
        "tower": _Thing(landmarks.tower, 0.56, 0.24, 0.3),
        "lighthouse": _Thing(landmarks.lighthouse, 0.56, 0.2, 0.7),
        "pyramid": _Thing(landmarks.pyramid, 0.36, 0.14, 1.8),
        "house": _Thing(houses.house, 0.42, 0.42, 1.3),
        "tent": _Thing(landmarks.tent, 0.22, 0.56, 1.4),
        "train": _Thing(vehicles.train, 0.15, 0.34, 4.0),
        "car": _Thing(vehicles.car, 0.16, 0.66, 2.4),
        "tree": _Thing(_tree("tree"), 0.56, 0.32, 0.7),
        "pine": _Thing(_tree("pine"), 0.56, 0.32, 0.5),
        "birch": _Thing(_tree("birch"), 0.56, 0.32, 0.6),
        "palm": _Thing(_tree("palm"), 0.58, 0.4, 0.7),
        "blossom": _Thing(_tree("blossom"), 0.58, 0.36, 0.8),
        "bush": _Thing(_tree("bush"), 0.2, 0.5, 1.2),
        "cactus": _Thing(plants.cactus, 0.4, 0.5, 0.6),
        "flower": _Thing(_flower("flower"), 0.5, 0.9, 0.4),
        "sunflower": _Thing(_flower("sunflower"), 0.66, 0.96, 0.42),
        "mushroom": _Thing(plants.mushroom, 0.24, 0.72, 0.9),
        "cat": _Thing(_cat, 0.46, 0.72, 0.9),
        "yarn": _Thing(yarn, 0.13, 0.76, 1.6),
        "ball": _Thing(things.ball, 0.13, 0.78, 1.0),
        "person": _Thing(people.person, 0.36, 0.6, 0.4),
        "astronaut": _Thing(people.astronaut, 0.46, 0.3, 0.7),
        "snowman": _Thing(things.snowman, 0.42, 0.62, 0.8),
        "umbrella": _Thing(things.umbrella, 0.34, 0.62, 1.2),
        "campfire": _Thing(things.campfire, 0.17, 0.66, 1.0),
        "rock": _Thing(things.rock, 0.14, 0.66, 1.2),
        **{
            kind: _Thing(_beast(kind), round(0.52 * what.size**0.55, 3), 0.58, 1.1)
            for kind, what in BEASTS.items()
            if kind not in {"whale", "bird"}
        },
        "sheep": _Thing(_beast("sheep"), 0.38, 0.6, 1.1),
    }
)
"""What stands on the ground."""

IN_AIR: Mapping[str, _Thing] = MappingProxyType(
    {
        "balloon": _Thing(flight.balloon, 0.36, 0.72, above=1.06),
        "rocket": _Thing(flight.rocket, 0.34, 0.45),
        "plane": _Thing(flight.plane, 0.36, 0.36),
        "ufo": _Thing(flight.ufo, 0.24, 0.34),
        "butterfly": _Thing(animals.butterfly, 0.16, 0.7),
        "heart": _Thing(things.heart, 0.34, 0.45),
    }
)
"""What flies; `depth` is where between the top and the horizon."""

ON_WATER: Mapping[str, _Thing] = MappingProxyType(
    {
        "ship": _Thing(boats.ship, 0.56, 0.34, 1.4),
        "boat": _Thing(boats.boat, 0.34, 0.3, 1.1),
    }
)
"""What floats."""


@dataclass(frozen=True, slots=True)
class _Item:
    draw: _Draw
    x: float
    y: float
    size: float
    colour: Rgb | None


def stand(stage: Stage, subjects: tuple[Subject, ...]) -> None:
    """Draw those of `subjects` that stand on the ground, the farther ones first."""
    chosen = [(subject, ON_LAND[subject.kind]) for subject in subjects if subject.kind in ON_LAND]
    for item in _arranged(stage, chosen):
        item.draw(stage, item.x, item.y, item.size, item.colour)


def float_on(stage: Stage, subjects: tuple[Subject, ...]) -> None:
    """Draw those that float on water."""
    chosen = [(subject, ON_WATER[subject.kind]) for subject in subjects if subject.kind in ON_WATER]
    for item in _arranged(stage, chosen):
        item.draw(stage, item.x, item.y, item.size, item.colour)


def fly(stage: Stage, subjects: tuple[Subject, ...]) -> None:
    """Draw those that are in the air."""
    chance = stage.branch()
    for subject in subjects:
        if subject.kind not in IN_AIR:
            continue
        thing = IN_AIR[subject.kind]
        for number in range(subject.count):
            part = (number + 0.5) / subject.count
            size = stage.unit * thing.size * _grown(subject) / (1 + 0.22 * (subject.count - 1))
            size *= float(chance.uniform(0.7, 1.0)) if number else 1.0
            x = stage.width * (part + float(chance.uniform(-0.3, 0.3)) / subject.count)
            y = stage.horizon * thing.depth + float(chance.uniform(-0.12, 0.12)) * stage.unit
            thing.draw(stage, x, max(size * thing.above, y), size, subject.colour)


def _arranged(stage: Stage, chosen: list[tuple[Subject, _Thing]]) -> list[_Item]:
    """Give every thing a slot: the first named is nearest the middle, tall ones farther back."""
    chance = stage.branch()
    kinds = [subject.kind for subject, _ in chosen]
    toy = next((kind for kind in ("yarn", "ball") if "cat" in kinds and kind in kinds), None)
    if toy is not None:
        pair = [item for item in chosen if item[0].kind in {"cat", toy}]
        chosen = [item for item in chosen if item[0].kind not in {"cat", toy}]
        rest = _arranged(stage, chosen)
        return sorted(
            [*rest, *_playing(stage, {subject.kind: subject for subject, _ in pair}, toy)],
            key=lambda item: item.y,
        )
    singles = [(subject, thing) for subject, thing in chosen for _ in range(subject.count)]
    if not singles:
        return []
    span = min(float(stage.width), stage.unit * 2.4)
    need = sum(_wide(subject, thing) for subject, thing in singles) * stage.unit
    shrink = min(1.0, (span * 1.02 / need) ** 0.8)
    if len(singles) == 1 and singles[0][1].size < _MODEST:
        shrink = 1.32  # Alone, it may fill more of the picture.
    order = _middle_out(len(singles))
    wides = [_wide(*singles[index]) for index in order]
    left = stage.width / 2 - span / 2
    total, items = sum(wides), []
    reach = min(stage.height - stage.horizon, stage.unit * 0.62)
    for index, wide in zip(order, wides, strict=True):
        subject, thing = singles[index]
        slot = span * wide / total
        loose = max(0.0, slot - wide * shrink * stage.unit) / 2
        x = left + slot / 2 + float(chance.uniform(-0.7, 0.7)) * min(loose, stage.unit * 0.1)
        left += slot
        size = (
            stage.unit * thing.size * _grown(subject) * shrink * float(chance.uniform(0.92, 1.04))
        )
        depth = thing.depth + (float(chance.uniform(-0.12, 0.12)) if len(singles) > 1 else 0.0)
        items.append(
            _Item(thing.draw, x, stage.horizon + reach * min(1.0, depth), size, subject.colour)
        )
    return sorted(items, key=lambda item: item.y)


def _playing(stage: Stage, subjects: dict[str, Subject], toy: str) -> list[_Item]:
    """Put a cat's toy where its lifted paw is."""
    size = stage.unit * 0.54 * _grown(subjects["cat"])
    x = stage.width / 2 - size * 0.16
    y = stage.ground(1.0) - (stage.height - stage.horizon) * 0.3
    thing = ON_LAND[toy]
    return [
        _Item(_cat, x, y, size, subjects["cat"].colour),
        _Item(thing.draw, x + size * 0.5, y + size * 0.035, size * 0.25, subjects[toy].colour),
    ]


def _wide(subject: Subject, thing: _Thing) -> float:
    return thing.size * thing.wide * _grown(subject)


def _grown(subject: Subject) -> float:
    return {"large": 1.35, "small": 0.6}.get(subject.size or "", 1.0)


def _middle_out(count: int) -> list[int]:
    """Return 0 to count - 1 so that the first numbers stand in the middle."""
    order: list[int] = []
    for index in range(count):
        order = [*order, index] if index % 2 == 0 else [index, *order]
    return order
