"""Pictures: the same for the same words, others for other words, as large as asked."""

import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from gateway_local.painting import words
from gateway_local.painting.compose import compose
from gateway_local.painting.scene import Scene, read
from gateway_local.painting.sight import ground_of, place_of, seen_subjects
from gateway_local.painting.styles import STYLES

SIDE = 128


def draw(prompt: str, *, seed: int = 1, width: int = SIDE, height: int = SIDE) -> Image.Image:
    return compose(read(prompt), width, height, seed)[0]


def differing(one: Image.Image, other: Image.Image) -> float:
    """Return the share of pixels that are visibly different."""
    apart = np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max(axis=2)
    return float((apart > 12).mean())


@pytest.mark.parametrize("prompt", ["a city in neon", "entropy", "forest", "planets", "a cat"])
def test_the_same_words_seed_and_size_give_the_same_picture(prompt: str) -> None:
    assert draw(prompt).tobytes() == draw(prompt).tobytes()


def test_another_process_draws_the_same_picture() -> None:
    program = (
        "import hashlib; from gateway_local.painting.compose import compose;"
        "from gateway_local.painting.scene import read;"
        "print(hashlib.sha256(compose(read('two deer at dawn'), 96, 96, 5)[0].tobytes())"
        ".hexdigest())"
    )

    told = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )

    own = draw("two deer at dawn", seed=5, width=96, height=96).tobytes()
    assert told.stdout.strip() == hashlib.sha256(own).hexdigest()


@pytest.mark.parametrize("prompt", ["mountains", "zxcvb", "forest", "planets", "a ship"])
def test_the_seed_varies_the_picture(prompt: str) -> None:
    assert differing(draw(prompt, seed=1), draw(prompt, seed=2)) > 0.05


@pytest.mark.parametrize("size", [(64, 64), (2048, 64), (64, 2048), (333, 129)])
@pytest.mark.parametrize("prompt", ["mountains and a lake, oil", "a cat with yarn", "city, neon"])
def test_pictures_have_exactly_the_size_asked_for(prompt: str, size: tuple[int, int]) -> None:
    assert draw(prompt, width=size[0], height=size[1]).size == size


def pairs() -> list[tuple[Scene, Scene]]:
    """Return scenes with one thing in one place, and the same without it.

    Sun and stars are there in any case, and a few things make another place of it.
    """
    found = []
    for kind in sorted(set(words.THINGS.values()) - {"sun", "stars"}):
        word = next(word for word, named in words.THINGS.items() if named == kind)
        for place in ("noon", "sea", "city", "desert", "forest", "space", "room"):
            scene = replace(read(f"{place}, {word}"), time="day")
            # The prompt is the same for both, so that chance is: only the subject is taken out.
            without = replace(scene, subjects=())
            if (place_of(without), ground_of(without)) == (place_of(scene), ground_of(scene)):
                found.append((scene, without))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("scene", "without"), pairs(), ids=lambda scene: scene.prompt)
def test_a_thing_is_drawn_exactly_where_the_description_says_so(
    scene: Scene, without: Scene
) -> None:
    apart = differing(compose(scene, 96, 96, 1)[0], compose(without, 96, 96, 1)[0])

    assert (seen_subjects(scene) == scene.subjects) == (apart > 0)


@pytest.mark.parametrize(("kind", "word"), [("sun", "sun"), ("stars", "stars")])
def test_sun_and_stars_are_drawn_when_they_are_asked_for(kind: str, word: str) -> None:
    scene = replace(read(f"hills, fog, {word}"), sky_colour=(90, 90, 90))

    without = compose(
        replace(scene, subjects=(), time="night" if kind == "stars" else None), 96, 96, 1
    )

    assert differing(compose(scene, 96, 96, 1)[0], without[0]) > 0


def test_every_thing_can_be_drawn_somewhere() -> None:
    for word, kind in words.THINGS.items():
        scene = read(word)
        assert [one.kind for one in seen_subjects(scene)] == [kind], word


@pytest.mark.parametrize("land", sorted(set(words.LAND.values())))
def test_every_land_is_a_picture_of_its_own(land: str) -> None:
    word = next(word for word, named in words.LAND.items() if named == land)

    picture = draw(word)

    assert differing(picture, draw("a train at noon")) > 0.1


@pytest.mark.parametrize("style", sorted(STYLES))
def test_every_style_changes_the_picture(style: str) -> None:
    word = next(word for word, named in words.STYLES.items() if named == style)
    scene = read(f"a castle, {word}")

    assert scene.style == style
    assert differing(draw(f"a castle, {word}"), draw("a castle")) > 0.1


@pytest.mark.parametrize("time", ["dawn", "sunset", "dusk", "night"])
def test_the_time_of_day_colours_the_sky(time: str) -> None:
    top = np.asarray(draw(f"hills, {time}"))[: SIDE // 4].mean(axis=(0, 1))

    assert np.abs(top - np.asarray(draw("hills, noon"))[: SIDE // 4].mean(axis=(0, 1))).max() > 25


@pytest.mark.parametrize("weather", ["rain", "storm", "snow", "fog", "overcast"])
def test_the_weather_shows(weather: str) -> None:
    assert differing(draw(f"hills, {weather}"), draw("hills")) > 0.1


def test_a_red_house_is_red() -> None:
    red = np.asarray(draw("a red house", width=256, height=256), dtype=int)
    blue = np.asarray(draw("a blue house", width=256, height=256), dtype=int)

    def share(pixels: np.ndarray, channel: int, other: int) -> float:
        return float((pixels[..., channel] - pixels[..., other] > 60).mean())

    assert share(red, 0, 2) > 0.05
    assert share(blue, 0, 2) < 0.02
    assert share(blue, 2, 0) > share(red, 2, 0)


@pytest.mark.parametrize(
    ("prompt", "place"),
    [
        ("zxcvb", "abstract"),
        ("an astronaut", "space"),
        ("a goldfish", "underwater"),
        ("a cat playing with yarn", "indoors"),
        ("a serene forest", "woods"),
        ("a cat in a field", "landscape"),
        ("a rocket over the sea", "landscape"),
    ],
)
def test_the_place_follows_from_the_words(prompt: str, place: str) -> None:
    assert place_of(read(prompt)) == place


def test_a_line_drawing_is_ink_on_paper() -> None:
    pixels = np.asarray(draw("line drawing of a horse", width=256, height=256), dtype=int)

    colourful = np.ptp(pixels, axis=2)
    assert colourful.max() < 30
    assert (pixels.mean(axis=2) > 220).mean() > 0.85
    assert (pixels.mean(axis=2) < 90).mean() > 0.005
