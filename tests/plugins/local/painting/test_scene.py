"""What is read from prompts, by rules."""

import pytest

from gateway_local.painting.colours import NAMED
from gateway_local.painting.describe import NATURE, describe
from gateway_local.painting.scene import read


@pytest.mark.parametrize(
    ("prompt", "kind", "count"),
    [
        ("three horses", "horse", 3),
        ("a horse", "horse", 1),
        ("12 sheep", "sheep", 12),
        ("some butterflies", "butterfly", 3),
        ("two children", "person", 2),
        ("a flock of birds", "bird", 7),
        ("cacti", "cactus", 3),
        ("a dog and another dog", "dog", 2),
        ("hot air balloons", "balloon", 3),
        ("forty elephants", "elephant", 3),
    ],
)
def test_things_are_counted(prompt: str, kind: str, count: int) -> None:
    subject = read(prompt).first(kind)

    assert subject is not None
    assert subject.count == count


def test_a_colour_belongs_to_the_noun_that_follows_it() -> None:
    scene = read("a red house, a tree and two white cats")

    colours = {subject.kind: subject.colour for subject in scene.subjects}
    assert colours == {"house": NAMED["red"], "tree": None, "cat": NAMED["white"]}


def test_a_colour_after_is_belongs_to_the_noun_before() -> None:
    scene = read("the cat is black and the house is red")

    assert [subject.colour_name for subject in scene.subjects] == ["black", "red"]


def test_what_is_not_wanted_is_not_drawn() -> None:
    scene = read("a field without trees and no people, a horse")

    assert [subject.kind for subject in scene.subjects] == ["horse"]


@pytest.mark.parametrize(
    ("prompt", "field", "value"),
    [
        ("the sea at dawn", "time", "dawn"),
        ("a starry night", "time", "night"),
        ("golden hour at the beach", "time", "sunset"),
        ("a foggy lake", "weather", "fog"),
        ("a thunderstorm", "weather", "storm"),
        ("a frozen pond", "season", "winter"),
        ("autumn leaves in a forest", "season", "autumn"),
        ("a cat, oil painting", "style", "oil"),
        ("8-bit castle", "style", "pixel"),
        ("black and white hills", "style", "mono"),
        ("a serene lake", "mood", "calm"),
    ],
)
def test_time_weather_season_style_and_mood_are_read(prompt: str, field: str, value: str) -> None:
    assert getattr(read(prompt), field) == value


def test_phrases_win_over_their_words() -> None:
    scene = read("northern lights over a christmas tree")

    assert [subject.kind for subject in scene.subjects] == ["aurora", "pine"]


def test_the_style_parameter_wins_over_the_prompt() -> None:
    assert read("watercolour of a fox", "pixel-art").style == "pixel"
    assert read("watercolour of a fox", "a kind nobody knows").style == "watercolour"


@pytest.mark.parametrize(
    "prompt",
    ["", "?!", "zxcvb qwerty", "Восход", "\ud800", "的" * 9000, "no", "7 8 9", "red " * 900],
)
def test_no_prompt_is_an_error(prompt: str) -> None:
    scene = read(prompt)

    assert NATURE in describe(scene, "abstract circles" if scene.is_abstract else "landscape")


def test_a_description_tells_what_is_drawn_and_what_is_not() -> None:
    scene = read("two red foxes and a dragon, a bridge in a field at night, watercolour")

    text = describe(scene, "landscape")

    assert text.startswith("A watercolour of two red foxes and a meadow; night")
    assert "not drawn: bridge, dragon" in text
    assert NATURE in text


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a serene mountain landscape", "mountains, a meadow and a lake"),
        ("a boat in the desert", "dunes"),
        ("space, ship", "outer space"),
        ("winter night", "a landscape; night, winter"),
        ("a goldfish in a storm", "a goldfish and the seabed"),
        ("northern lights and stars", "northern lights and stars"),
    ],
)
def test_a_description_promises_nothing_that_is_not_drawn(prompt: str, said: str) -> None:
    assert f" of {said} (" in describe(read(prompt), "landscape")
