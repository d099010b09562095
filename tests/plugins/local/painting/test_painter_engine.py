"""The engine as its worker calls it."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from gateway.sdk.workshop import EngineRefusal
from gateway_local.engines.painter import Painter, load
from gateway_local.painting.describe import NATURE


@pytest.fixture
def painter() -> Painter:
    return load({})


def drawn(painter: Painter, **arguments: Any) -> list[tuple[dict[str, Any], bytes]]:
    return [made for made in painter.draw(arguments, []) if made is not None]


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def picture(size: tuple[int, int] = (90, 70)) -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(out, "PNG")
    return out.getvalue()


def test_pictures_are_drawn_with_seeds_that_count_up(painter: Painter) -> None:
    made = drawn(painter, prompt="a fox", width=96, height=64, n=3, seed=2**63 - 2)

    assert [facts["seed"] for facts, _ in made] == [2**63 - 2, 2**63 - 1, -(2**63)]
    assert len({data for _, data in made}) == 3
    alone = drawn(painter, prompt="a fox", width=96, height=64, seed=2**63 - 1)
    assert alone[0] == made[1]


def test_a_picture_says_what_it_is(painter: Painter) -> None:
    [(facts, data)] = drawn(painter, prompt="two red boats at dawn", width=64, height=64, seed=4)

    image = opened(data)
    assert (facts["width"], facts["height"], facts["media_type"]) == (64, 64, "image/png")
    assert "two red boats" in facts["revised_prompt"]
    assert NATURE in facts["revised_prompt"]
    assert image.info["Description"] == facts["revised_prompt"]
    assert image.info["Seed"] == "4"


def test_a_call_can_be_stopped_before_each_picture(painter: Painter) -> None:
    steps = painter.draw({"prompt": "sea", "width": 64, "height": 64, "n": 2}, [])

    assert [step is None for step in steps] == [True, False, True, False]


@pytest.mark.parametrize(("name", "value"), [("width", 63), ("height", 2049), ("n", 11), ("n", -1)])
def test_what_is_out_of_range_is_refused(painter: Painter, name: str, value: int) -> None:
    with pytest.raises(EngineRefusal) as refusal:
        drawn(painter, **{"prompt": "sea", name: value})

    assert refusal.value.param == name


def test_sources_and_mask_are_told_apart(painter: Painter) -> None:
    mask = BytesIO()
    Image.new("RGBA", (90, 70), (0, 0, 0, 0)).save(mask, "PNG")
    arguments = {"prompt": "invert", "has_mask": True, "seed": 1}

    made = [one for one in painter.edit(arguments, [picture(), mask.getvalue()]) if one]

    [(facts, data)] = made
    assert facts["revised_prompt"].startswith("Applied within the mask: invert.")
    assert opened(data).size == (90, 70)


def test_an_edit_without_a_picture_is_refused(painter: Painter) -> None:
    with pytest.raises(EngineRefusal) as refusal:
        list(painter.edit({"prompt": "sepia", "has_mask": True}, [picture()]))

    assert refusal.value.param == "image"


def test_large_sources_are_made_smaller_before_they_are_changed(painter: Painter) -> None:
    asked = {"prompt": "invert"}

    [(facts, _)] = [one for one in painter.edit(asked, [picture((2560, 640))]) if one]

    assert (facts["width"], facts["height"]) == (2048, 512)
