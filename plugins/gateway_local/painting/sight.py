"""What a scene's picture shows: which place it is, and what of the prompt can be seen there.

The painters decide by these rules, and the description says nothing else.
"""

from gateway_local.painting.light import light_of
from gateway_local.painting.scene import Scene, Subject

_AFLOAT = ("ship", "boat", "lighthouse", "bridge", "whale")
_DRY = frozenset({"field", "desert", "city", "village"})
_DESERT = ("desert", "pyramid", "cactus")
_IN_SKY = frozenset(
    {"moon", "crescent", "stars", "clouds", "rainbow", "aurora", "comet", "planet", "bird"}
)
_IN_AIR = frozenset({"balloon", "rocket", "plane", "ufo", "butterfly", "heart"})
_ON_WATER = frozenset({"ship", "boat"})
_PLACED = _IN_SKY | _IN_AIR | _ON_WATER | {"sun", "fish", "whale", "bridge", "fence"}
"""Everything that does not simply stand on the ground."""

_BEHIND = ("mountains", "forest")
_LANDS = {
    "city": {"city", "sea", "lake", "river"},
    "sea": {"sea", "beach", "lake", "river"},
    "desert": {"desert"},
    "meadow": {"field", "hills", "lake", "river", "road", "waterfall", "village", "snow"},
}
_PLACE_LANDS = {
    "space": {"space"},
    "underwater": {"underwater"},
    "indoors": {"indoors"},
    "woods": {"forest", "road"},
    "abstract": set[str](),
}


def place_of(scene: Scene) -> str:
    """Return the sort of place: abstract, space, underwater, indoors, woods or landscape."""
    if scene.is_abstract:
        return "abstract"
    land = set(scene.land)
    if "space" in land or (not land and scene.has("planet", "rocket", "astronaut")):
        return "space"
    if "underwater" in land or (not land and scene.has("fish", "whale")):
        return "underwater"
    is_cosy = scene.has("yarn") or {subject.kind for subject in scene.subjects} == {"cat"}
    if "indoors" in land or (is_cosy and not land and scene.weather is None):
        return "indoors"
    if scene.land and scene.land[0] == "forest" and land <= {"forest", "road", "field"}:
        return "woods"
    return "landscape"


def ground_of(scene: Scene) -> str:
    """Return what a landscape's ground is: city, sea, desert or meadow."""
    if scene.has("city"):
        return "city"
    if scene.has("sea", "beach"):
        return "sea"
    is_dry = bool(_DRY & set(scene.land)) or ("lake" in scene.land and not scene.has("bridge"))
    if scene.has(*_AFLOAT) and not is_dry:
        return "sea"
    return "desert" if scene.has(*_DESERT) else "meadow"


def seen_subjects(scene: Scene) -> tuple[Subject, ...]:
    """Return the subjects that the picture of `scene` shows."""
    place = place_of(scene)
    return tuple(one for one in scene.subjects if _is_seen(scene, place, one.kind))


def seen_land(scene: Scene) -> tuple[str, ...]:
    """Return the parts of the land that the picture shows, those that nobody named included."""
    place = place_of(scene)
    if place != "landscape":
        shown = _PLACE_LANDS[place]
        own = {"space": "space", "underwater": "underwater", "indoors": "indoors"}.get(place)
        named = [land for land in scene.land if land in shown]
        return tuple(named) or (() if own is None else (own,))
    shown = _LANDS[ground_of(scene)] | set(_BEHIND)
    if "mountains" not in scene.land:
        shown = shown | {"volcano"}
    added = ("lake",) if scene.has_lake and "lake" not in scene.land else ()
    return tuple(land for land in scene.land if land in shown) + added


def seen_weather(scene: Scene) -> tuple[str, ...]:
    """Return time of day, season and weather, as far as the place has them."""
    place = place_of(scene)
    if place in {"space", "underwater", "abstract"}:
        return ()
    facts = (scene.time, scene.season, scene.weather)
    kept = (scene.time,) if place == "indoors" else facts
    return tuple(dict.fromkeys(fact for fact in kept if fact is not None))


def _is_seen(scene: Scene, place: str, kind: str) -> bool:
    match place:
        case "abstract":
            return False
        case "space":
            return kind not in _PLACED or kind in _IN_AIR | {"planet", "comet", "stars"}
        case "underwater":
            return kind not in _PLACED or kind in {"fish", "whale"}
        case "indoors" | "woods":
            return kind not in _PLACED or kind in _IN_AIR
        case _:
            return _is_seen_outside(scene, kind)


def _is_seen_outside(scene: Scene, kind: str) -> bool:
    ground = ground_of(scene)
    has_lake = ground == "meadow" and scene.has_lake
    if kind == "sun":
        return not light_of(scene).is_dark
    if kind in _ON_WATER:
        return ground in {"sea", "city"} or has_lake
    where = {
        "whale": ground == "sea",
        "bridge": ground in {"sea", "city"},
        "fence": ground == "meadow",
        "fish": ground == "sea" or has_lake,
    }
    return where.get(kind, True)
