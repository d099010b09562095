"""In words what was drawn: the revised prompt, which promises nothing that is not there."""

from gateway_local.painting import words
from gateway_local.painting.scene import Scene, Subject
from gateway_local.painting.sight import seen_land, seen_subjects, seen_weather

NATURE = "procedural drawing, not an AI image model"
"""What the painter is; part of every revised prompt and of every picture's metadata."""

_NUMBERS = ("", "a", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_LAND = {
    "mountains": "mountains",
    "volcano": "a volcano",
    "hills": "hills",
    "sea": "the sea",
    "beach": "a beach",
    "lake": "a lake",
    "river": "a river",
    "waterfall": "a waterfall",
    "desert": "dunes",
    "field": "a meadow",
    "forest": "a forest",
    "snow": "snow",
    "city": "a city skyline",
    "village": "a village",
    "space": "outer space",
    "underwater": "the seabed",
    "indoors": "a room",
    "road": "a road",
}
_STYLES = {
    "oil": "an oil painting",
    "pixel": "pixel art",
    "line": "a line drawing",
    "sketch": "a pencil sketch",
    "lowpoly": "a low-poly picture",
    "mono": "a black and white picture",
    "watercolour": "a watercolour",
    "vintage": "a faded print",
    "neon": "a neon picture",
    "poster": "a poster",
    "pastel": "a pastel",
    "cartoon": "a cartoon",
    "mosaic": "a mosaic",
}
_SKY = {
    "sun": "the sun",
    "moon": "the moon",
    "crescent": "a crescent moon",
    "stars": "stars",
    "clouds": "clouds",
    "rainbow": "a rainbow",
    "aurora": "northern lights",
}
_NAMES = {"yarn": "ball of yarn", "wool": "ball of wool", "love": "heart"}
_MOST_OMITTED = 12


def describe(scene: Scene, place: str) -> str:
    """Return what the picture of `scene` shows, and which words of the prompt it leaves out."""
    medium = _STYLES.get(scene.style or "", "a picture")
    opening = medium[0].upper() + medium[1:]
    if scene.is_abstract:
        return f"{opening}: {_abstract(scene, place)} ({NATURE})."
    subjects, land = seen_subjects(scene), seen_land(scene)
    shown = [_subject(subject) for subject in subjects] + [_LAND[name] for name in land]
    text = f"{opening} of {_listed(shown or ['a landscape'])}"
    when = seen_weather(scene)
    if when:
        text += f"; {', '.join(when)}"
    missed = [one.word for one in scene.subjects if one not in subjects]
    missed += [name for name in scene.land if name not in land]
    left_out = ", ".join([*missed, *scene.unknown][:_MOST_OMITTED])
    return f"{text} ({NATURE}{'; not drawn: ' + left_out if left_out else ''})."


def _abstract(scene: Scene, place: str) -> str:
    colour = f" in {scene.tint_name}" if scene.tint_name else ""
    form = place.removeprefix("abstract").strip() or "composition"
    return f"abstract {form}{colour}, because the painter knows none of the words as a subject"


def _subject(subject: Subject) -> str:
    if subject.kind in _SKY:
        return _SKY[subject.kind]
    count = _NUMBERS[subject.count] if subject.count < len(_NUMBERS) else str(subject.count)
    adjectives = " ".join(part for part in (subject.size, subject.colour_name) if part)
    what = f"{adjectives} {_NAMES.get(subject.word, subject.word)}".strip()
    if subject.count == 1:
        return f"{_article(what).lower()} {what}"
    return f"{count} {adjectives} {_plural(subject.word)}".replace("  ", " ")


def _plural(word: str) -> str:
    irregular = next((many for many, one in words.IRREGULAR.items() if one == word), None)
    if irregular is not None:
        return irregular
    if word in {"sheep", "deer", "fish"}:
        return word
    if word.endswith(("x", "s", "ch", "sh")):
        return f"{word}es"
    return f"{word[:-1]}ies" if word.endswith("y") and word[-2] not in "aeiou" else f"{word}s"


def _article(noun: str) -> str:
    return "An" if noun[:1] in "aeiou" else "A"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else " and ".join([", ".join(parts[:-1]), parts[-1]]).strip()
