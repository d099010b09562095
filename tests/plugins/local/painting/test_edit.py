"""Changing pictures: every operation does what its name says, and nothing else is changed."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageStat

from gateway.sdk.workshop import EngineRefusal
from gateway_local.making import CARDS, PAINTER
from gateway_local.painting.edit import Edit, change
from gateway_local.painting.operations import OPERATIONS, find, names


@pytest.fixture
def photo() -> Image.Image:
    """A sky, a sun, ground and a red square: something of everything."""
    image = Image.new("RGB", (160, 120), (120, 170, 220))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 80, 160, 120), fill=(90, 140, 70))
    pen.ellipse((110, 10, 140, 40), fill=(250, 240, 160))
    pen.rectangle((20, 50, 60, 90), fill=(190, 40, 40))
    return image


def done(prompt: str, photo: Image.Image) -> Image.Image:
    return change([photo], None, Edit(prompt, seed=3))[0]


def mean(image: Image.Image) -> float:
    return float(np.asarray(image, dtype=float).mean())


def spread(image: Image.Image) -> float:
    return float(np.asarray(image.convert("L"), dtype=float).std())


def colour(image: Image.Image) -> float:
    return float(np.ptp(np.asarray(image, dtype=float), axis=2).mean())


def steepness(image: Image.Image) -> float:
    return float(np.abs(np.diff(np.asarray(image.convert("L"), dtype=float), axis=1)).max())


CLAIMS: dict[str, Callable[[Image.Image, Image.Image], bool]] = {
    "make it brighter": lambda new, old: mean(new) > mean(old) + 10,
    "darken": lambda new, old: mean(new) < mean(old) - 10,
    "more contrast": lambda new, old: spread(new) > spread(old),
    "less contrast": lambda new, old: spread(new) < spread(old),
    "saturate": lambda new, old: colour(new) > colour(old),
    "desaturate": lambda new, old: colour(new) < colour(old) * 0.7,
    "black and white": lambda new, _: colour(new) == 0,
    "blur": lambda new, old: steepness(new) < steepness(old) * 0.8,
    "warmer": lambda new, old: ImageStat.Stat(new).mean[0] > ImageStat.Stat(old).mean[0] + 5,
    "cooler": lambda new, old: ImageStat.Stat(new).mean[2] > ImageStat.Stat(old).mean[2] + 5,
    "invert": lambda new, _: new.getpixel((40, 70)) == (65, 215, 215),
    "mirror": lambda new, old: new.getpixel((119, 70)) == old.getpixel((40, 70)),
    "upside down": lambda new, old: new.getpixel((40, 49)) == old.getpixel((40, 70)),
    "rotate 180 degrees": lambda new, old: new.getpixel((119, 49)) == old.getpixel((40, 70)),
    "rotate": lambda new, _: new.size == (120, 160) and new.getpixel((49, 40)) == (190, 40, 40),
    "crop": lambda new, _: new.size == (106, 79),
    "square": lambda new, _: new.size == (120, 120),
    "sepia": lambda new, _: bool((np.diff(np.asarray(new, dtype=int), axis=2) <= 0).all()),
    "posterize": lambda new, old: len(new.getcolors() or []) <= len(old.getcolors() or []),
    "pixelate": lambda new, _: new.getpixel((0, 0)) == new.getpixel((1, 1)),
    "make it blue": lambda new, _: ImageStat.Stat(new).mean[2] > ImageStat.Stat(new).mean[0],
    "vignette": lambda new, old: (
        mean(new.crop((0, 110, 9, 120))) < mean(old.crop((0, 110, 9, 120))) - 20
    ),
    "night": lambda new, old: mean(new) < mean(old) * 0.6,
    "edges": lambda new, _: bool((np.asarray(new) < 30).mean() > 0.7),
    "line drawing": lambda new, _: bool((np.asarray(new) > 220).mean() > 0.8),
}


@pytest.mark.parametrize("prompt", CLAIMS)
def test_an_operation_does_what_it_says(prompt: str, photo: Image.Image) -> None:
    assert CLAIMS[prompt](done(prompt, photo), photo)


@pytest.mark.parametrize("name", [one.name for one in OPERATIONS if one.name != "collage"])
def test_every_operation_changes_the_picture_and_is_repeatable(
    name: str, photo: Image.Image
) -> None:
    once, again = done(name, photo), done(name, photo)

    assert once.tobytes() == again.tobytes()
    assert once.tobytes() != photo.tobytes()
    assert once.mode == "RGB"


@pytest.mark.parametrize("name", [one.name for one in OPERATIONS if one.name != "collage"])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (2, 40)])
def test_the_smallest_pictures_can_be_changed_too(name: str, size: tuple[int, int]) -> None:
    changed = done(name, Image.new("RGB", size, (200, 90, 40)))

    assert changed.size in {size, size[::-1], (min(size), min(size))} or name == "crop"


def test_operations_are_found_in_the_order_of_the_prompt() -> None:
    found, dose = find("first blur it slightly, then sepia and a vignette")

    assert [operation.name for operation in found] == ["blur", "sepia", "vignette"]
    assert dose.strength < 1


@pytest.mark.parametrize("prompt", ["give her a hat", "what is this?", "the red one"])
def test_a_prompt_without_an_operation_is_refused_with_the_list(
    prompt: str, photo: Image.Image
) -> None:
    with pytest.raises(EngineRefusal) as refusal:
        done(prompt, photo)

    assert refusal.value.failure == "caller_fault"
    assert refusal.value.param == "prompt"
    assert names() in refusal.value.message


@pytest.fixture
def mask() -> Image.Image:
    """Opaque but for the red square."""
    image = Image.new("RGBA", (160, 120), (0, 0, 0, 255))
    ImageDraw.Draw(image).rectangle((18, 48, 62, 92), fill=(0, 0, 0, 0))
    return image


@pytest.mark.parametrize(
    "prompt", ["sepia", "remove the box", "a fox at night", "rotate", "watercolour", ""]
)
def test_only_what_the_mask_leaves_open_is_changed(
    prompt: str, photo: Image.Image, mask: Image.Image
) -> None:
    changed = np.asarray(change([photo], mask, Edit(prompt, 1))[0], dtype=int)

    apart = np.abs(changed - np.asarray(photo, dtype=int)).max(axis=2)
    inside = np.asarray(mask.getchannel("A")) == 0
    assert apart[~inside].max() == 0
    assert (apart[inside] > 8).mean() > 0.3


def test_what_is_removed_takes_the_colours_around_it(photo: Image.Image, mask: Image.Image) -> None:
    filled = change([photo], mask, Edit("erase this", 1))[0]

    red, green, blue = ImageStat.Stat(filled.crop((22, 52, 58, 88))).mean
    assert red < min(green, blue) + 10


def test_to_remove_something_a_mask_is_needed(photo: Image.Image) -> None:
    with pytest.raises(EngineRefusal) as refusal:
        change([photo], None, Edit("remove the box", 1))

    assert refusal.value.param == "mask"


def test_the_pictures_own_transparency_is_a_mask_for_removing(photo: Image.Image) -> None:
    source = photo.convert("RGBA")
    ImageDraw.Draw(source).rectangle((18, 48, 62, 92), fill=(0, 0, 0, 0))

    filled = change([source], None, Edit("fill the hole", 1))[0]

    assert ImageStat.Stat(filled.crop((30, 55, 50, 70))).mean[2] > 100


@pytest.mark.parametrize("mode", ["opaque", "shape"])
def test_a_mask_that_cannot_be_one_is_refused(photo: Image.Image, mode: str) -> None:
    mask = Image.new("RGB", (160, 120)) if mode == "opaque" else Image.new("RGBA", (50, 120))

    with pytest.raises(EngineRefusal) as refusal:
        change([photo], mask, Edit("sepia", 1))

    assert refusal.value.param == "mask"


def test_an_empty_prompt_is_a_gentle_variation(photo: Image.Image) -> None:
    one, two = (change([photo], None, Edit("", seed))[0] for seed in (1, 2))

    assert one.size == two.size == photo.size
    assert one.tobytes() != two.tobytes()
    assert np.abs(np.subtract(ImageStat.Stat(one).mean, ImageStat.Stat(photo).mean)).max() < 30


@pytest.mark.parametrize("prompt", ["sepia", "", "crop", "rotate", "a fox"])
def test_the_result_has_the_size_asked_for(
    prompt: str, photo: Image.Image, mask: Image.Image
) -> None:
    edit = Edit(prompt, 1, width=200, height=300)

    image, _ = change([photo], mask if prompt == "a fox" else None, edit)

    assert image.size == (200, 300)


def test_several_pictures_become_a_collage_when_that_is_asked(photo: Image.Image) -> None:
    image, said = change([photo, photo, photo], None, Edit("a collage in sepia", 1))

    assert image.size == (320, 240)
    assert "collage" in said
    with pytest.raises(EngineRefusal) as refusal:
        change([photo, photo], None, Edit("sepia", 1))
    assert refusal.value.failure == "unsupported"


def test_the_operations_that_the_model_s_card_names_are_there() -> None:
    named = re.search(r"operations \((.+?) and others\)", str(CARDS[PAINTER].description))

    assert named is not None
    assert set(named[1].split(", ")) <= {operation.name for operation in OPERATIONS}
