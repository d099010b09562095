"""Pictures that a provider drew or changed, on their way to the caller."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from gateway.pipeline.call import Call
from gateway.pipeline.identify import Presented
from gateway.pipeline.run import Run
from gateway.pipeline.watch import Watch
from gateway.schema.ask import Ask, Feature, Request
from gateway.schema.failure import CallError
from gateway.schema.images import (
    Finishing,
    ImageAnswer,
    ImageEditRequest,
    ImageRequest,
    MadeImage,
    Picture,
)
from gateway.schema.reply import Made
from tests.running import Running, run_gateway

CONFIG = """
providers: {local: {kind: local}}
models: {painter: {targets: [{provider: local, model: painter}]}}
"""
PATIENCE_S = 30.0


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with the painter alone."""
    async with run_gateway(CONFIG, tmp_path) as running:
        yield running


def source(colour: str = "teal", size: tuple[int, int] = (96, 64)) -> Picture:
    data = BytesIO()
    Image.new("RGB", size, colour).save(data, "WEBP", lossless=True)
    return Picture(data.getvalue(), "image/webp")


def mask(size: tuple[int, int] = (96, 64)) -> Picture:
    data = BytesIO()
    image = Image.new("RGBA", size)
    image.paste("white", (0, 0, 48, 64))
    image.save(data, "PNG")
    return Picture(data.getvalue(), "image/png")


async def made(
    gateway: Running, request: Request, finishing: Finishing | None = None
) -> tuple[MadeImage, ...]:
    feature = Feature.IMAGE if isinstance(request, ImageRequest) else Feature.IMAGE_EDIT
    ask = Ask(
        dialect="test",
        model=request.model,
        translate=lambda _: request,
        needs=frozenset({feature}),
        answer="thing",
        finishing=finishing,
    )
    serving = gateway.gateway.serving
    task = asyncio.current_task()
    assert task is not None
    started = serving.services.clock.monotonic()
    with Watch(serving.watches, task, PATIENCE_S) as watch:
        call = Call("req_1", ask, Presented("127.0.0.1"), watch, started, started + PATIENCE_S)
        async with Run(call, serving.services) as reply:
            assert isinstance(reply, Made)
            assert isinstance(reply.thing, ImageAnswer)
            return reply.thing.images


def opened(image: MadeImage) -> Image.Image:
    picture = Image.open(BytesIO(image.picture.data))
    picture.load()
    return picture


async def test_what_was_drawn_is_finished_and_still_says_who_drew_it(gateway: Running) -> None:
    request = ImageRequest("painter", "a red house", width=96, height=64, n=2, seed=7)
    finishing = Finishing(80, 80, "image/webp", "dynagate", {"Seed": "7"})

    images = await made(gateway, request, finishing)

    for image in images:
        picture = opened(image)
        assert (picture.format, picture.size) == ("WEBP", (80, 80))
        assert image.picture.media_type == "image/webp"
        assert "not an AI image model" in picture.getexif()[0x010E]
    assert images[0].picture != images[1].picture


async def test_what_needs_no_finishing_goes_as_it_was_drawn(gateway: Running) -> None:
    request = ImageRequest("painter", "a red house", width=96, height=64, seed=7)

    (plain,) = await made(gateway, request)
    (finished,) = await made(gateway, request, Finishing(96, 64, "image/png"))

    assert plain == finished
    assert plain.picture.media_type == "image/png"


async def test_pictures_are_changed_and_finished(gateway: Running) -> None:
    request = ImageEditRequest("painter", "invert", (source("black"),), seed=1)

    (image,) = await made(gateway, request, Finishing(media_type="image/jpeg"))

    picture = opened(image)
    assert (picture.format, picture.size) == ("JPEG", (96, 64))
    assert picture.getpixel((5, 5)) == (255, 255, 255)
    assert image.revised_prompt is not None
    assert image.revised_prompt.startswith("Applied: invert.")


async def test_a_mask_is_told_from_the_sources(gateway: Running) -> None:
    request = ImageEditRequest("painter", "invert", (source("black"),), mask=mask(), seed=1)

    (image,) = await made(gateway, request)

    picture = opened(image)
    assert picture.getpixel((5, 5)) == (0, 0, 0)
    assert picture.getpixel((90, 5)) == (255, 255, 255)


async def test_a_prompt_that_asks_for_nothing_known_is_told_what_there_is(
    gateway: Running,
) -> None:
    request = ImageEditRequest("painter", "give her a hat", (source(),))

    with pytest.raises(CallError) as caught:
        await made(gateway, request)

    assert (caught.value.code, caught.value.param) == ("upstream_rejected", "prompt")
    assert "sepia" in caught.value.message


async def test_several_pictures_are_set_side_by_side(gateway: Running) -> None:
    sources = (source("red"), source("blue"))
    request = ImageEditRequest("painter", "a collage", sources, n=2, seed=3)

    images = await made(gateway, request)

    assert [image.seed for image in images] == [3, 4]
