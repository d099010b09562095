"""Pictures through the process that looks at them and finishes them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import BytesIO
from logging import getLogger
from typing import Any

import pytest
from PIL import Image

from gateway.background import Background
from gateway.pictures.pictures import Pictures
from gateway.schema.failure import Failure
from gateway.schema.images import Finishing, Picture
from gateway.sdk import UpstreamError
from gateway.sdk.clock import SystemClock


@asynccontextmanager
async def open_pictures(**limits: Any) -> AsyncGenerator[Pictures]:
    pictures = Pictures(clock=SystemClock(), log=getLogger("dynagate.test"), **limits)
    background = Background()
    stop = background.start("pictures", pictures.run())
    try:
        yield pictures
    finally:
        stop()
        await pictures.stopped()
        await background.aclose()


def noise(size: tuple[int, int] = (90, 70), kind: str = "PNG") -> bytes:
    out = BytesIO()
    Image.effect_noise(size, 50).convert("RGB").save(out, kind)
    return out.getvalue()


async def test_pictures_are_finished_side_by_side() -> None:
    source = Picture(noise(), "image/png")
    finishing = Finishing(64, 48, "image/webp", "dynagate", {"Seed": "7"})

    async with open_pictures() as pictures:
        made = await asyncio.gather(*(pictures.finish(source, finishing) for _ in range(6)))

    assert len(set(made)) == 1
    image = Image.open(BytesIO(made[0].data))
    assert (image.format, image.size, made[0].media_type) == ("WEBP", (64, 48), "image/webp")


async def test_a_picture_that_needs_no_change_stays_as_it_is_under_its_real_name() -> None:
    source = Picture(noise(kind="JPEG"), "image/png")

    async with open_pictures() as pictures:
        made = await pictures.finish(source, Finishing(90, 70))

    assert made.data is source.data
    assert made.media_type == "image/jpeg"


@pytest.mark.parametrize("data", [b"", b"<html>502</html>", noise()[:500]])
async def test_a_provider_s_picture_that_cannot_be_read_is_transient(data: bytes) -> None:
    async with open_pictures() as pictures:
        with pytest.raises(UpstreamError) as caught:
            await pictures.finish(Picture(data, "image/png"), Finishing())

    assert caught.value.failure is Failure.TRANSIENT


async def test_a_caller_s_picture_is_called_what_it_is() -> None:
    data = noise(kind="GIF")

    async with open_pictures() as pictures:
        picture = await pictures.check(data, param="image")

    assert picture == Picture(data, "image/gif")


@pytest.mark.parametrize(
    ("data", "limits"),
    [(b"no picture", {}), (noise(), {"max_bytes": 500}), (noise(), {"max_pixels": 500})],
)
async def test_what_is_no_picture_or_too_large_is_the_caller_s_fault(
    data: bytes, limits: dict[str, int]
) -> None:
    async with open_pictures(**limits) as pictures:
        with pytest.raises(UpstreamError) as caught:
            await pictures.check(data, param="mask")

    assert (caught.value.failure, caught.value.param) == (Failure.CALLER_FAULT, "mask")


async def test_a_cancelled_call_leaves_the_process_to_the_others() -> None:
    large = Picture(noise((1500, 1500)), "image/png")

    async with open_pictures() as pictures, asyncio.TaskGroup() as group:
        await pictures.check(noise(), param="image")
        task = group.create_task(pictures.finish(large, Finishing(media_type="image/avif")))
        await asyncio.sleep(0)
        task.cancel()
        picture = await pictures.finish(Picture(noise(), "image/png"), Finishing())

    assert task.cancelled()
    assert picture.media_type == "image/png"
