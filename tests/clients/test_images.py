"""Pictures by the published clients: OpenAI's and DynaSpark's own, drawn by the local painter."""

import asyncio
import base64
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp import ClientSession, FormData
from dynaspark import DynaSpark, DynaSparkError
from openai import AsyncOpenAI
from openai.types import ImagesResponse
from PIL import Image

from gateway.schema.json import JsonObject
from tests.running import Running, run_gateway

CONFIG = """
providers: {here: {kind: local}, chaos: {kind: chaos}}
models:
  flux: {targets: [{provider: here, model: painter}], aliases: [kontext, dall-e-2]}
  gpt-image-1: {targets: [{provider: here, model: painter}], aliases: [gptimage]}
  words: {targets: [{provider: chaos, model: echo}]}
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway that paints."""
    async with run_gateway(CONFIG, tmp_path) as running:
        yield running


@pytest.fixture
async def client(gateway: Running) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's own client, which tries once."""
    async with AsyncOpenAI(
        base_url=f"{gateway.url}/v1", api_key="any", max_retries=0, timeout=20
    ) as running:
        yield running


def photo(size: tuple[int, int] = (96, 64), form: str = "PNG") -> bytes:
    out = BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(out, form)
    return out.getvalue()


def hole(size: tuple[int, int] = (96, 64)) -> bytes:
    """Return a mask whose right half may change."""
    mask = Image.new("RGBA", size, (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (size[0] // 2, 0, *size))
    out = BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()


def inline(answer: ImagesResponse) -> Image.Image:
    """Return the first picture of an answer in base64."""
    assert answer.data is not None
    return Image.open(BytesIO(base64.b64decode(answer.data[0].b64_json or "")))


async def fetched(url: str | None) -> Image.Image:
    """Return the picture behind a URL, opened as a stranger does."""
    assert url is not None
    async with ClientSession() as stranger, stranger.get(url) as answer:
        assert answer.status == 200
        return Image.open(BytesIO(await answer.read()))


@pytest.mark.parametrize(
    ("model", "given", "is_url"),
    [
        ("flux", {}, True),
        ("dall-e-2", {}, True),
        ("flux", {"response_format": "url"}, True),
        ("flux", {"response_format": "b64_json"}, False),
        ("gpt-image-1", {}, False),
        ("gptimage", {}, False),
        ("gpt-image-1", {"response_format": "url"}, True),
    ],
)
async def test_pictures_come_by_url_or_in_base64_as_openais_do(
    client: AsyncOpenAI, model: str, given: dict[str, str], *, is_url: bool
) -> None:
    answer = await client.images.generate(
        model=model, prompt="a red house", size="256x256", n=2, extra_body=given
    )

    assert answer.data is not None
    assert len(answer.data) == 2
    assert all((row.url is not None) is is_url for row in answer.data)
    assert all((row.b64_json is None) is is_url for row in answer.data)
    picture = await fetched(answer.data[1].url) if is_url else inline(answer)
    assert (picture.format, picture.size) == ("PNG", (256, 256))


async def test_an_edit_changes_what_was_sent(client: AsyncOpenAI) -> None:
    answer = await client.images.edit(
        model="kontext",
        image=("photo.jpg", photo(form="JPEG")),
        prompt="make it sepia",
        response_format="b64_json",
    )

    made = inline(answer).convert("RGB")
    red, _, blue = made.resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]  # RGB has three.
    assert made.size == (96, 64)
    assert red > blue


async def test_a_mask_says_where(client: AsyncOpenAI) -> None:
    answer = await client.images.edit(
        model="kontext",
        image=("photo.png", photo()),
        mask=("mask.png", hole()),
        prompt="invert the colours",
        size="192x128",
        response_format="b64_json",
        extra_body={"seed": 5},
    )

    made = inline(answer).convert("L")
    before = Image.open(BytesIO(photo())).convert("L").resize((192, 128))
    left, right = (0, 0, 80, 128), (112, 0, 192, 128)
    assert made.size == (192, 128)
    assert _distance(made.crop(left), before.crop(left)) < 6
    assert _distance(made.crop(right), before.crop(right)) > 30


async def test_several_pictures_make_a_collage(client: AsyncOpenAI) -> None:
    pictures = [(f"{n}.png", photo((64 + n, 64))) for n in range(3)]

    answer = await client.images.edit(
        model="gpt-image-1", image=pictures, prompt="a collage", size="1024x1024"
    )

    assert inline(answer).size == (1024, 1024)


@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # The client's, of its own.
async def test_a_variation_is_like_the_picture_and_not_the_same(client: AsyncOpenAI) -> None:
    made = [
        await client.images.create_variation(  # type: ignore[deprecated]  # Still in use.
            model="dall-e-2",
            image=("photo.png", photo((256, 256))),
            n=2,
            size="256x256",
            response_format="b64_json",
            extra_body={"seed": seed},
        )
        for seed in (1, 1)
    ]

    assert made[0].data is not None
    assert made[1].data is not None
    assert [row.b64_json for row in made[0].data] == [row.b64_json for row in made[1].data]
    assert made[0].data[0].b64_json != made[0].data[1].b64_json
    assert inline(made[0]).size == (256, 256)


@pytest.mark.parametrize(
    ("fields", "files", "param"),
    [
        ({"prompt": "sepia"}, {}, "image"),
        ({}, {"image": photo()}, "prompt"),
        ({"prompt": "sepia"}, {"image": b"<html></html>"}, "image"),
        ({"prompt": "sepia"}, {"image": b""}, "image"),
        ({"prompt": "sepia"}, {"image": photo()[:60]}, "image"),
        ({"prompt": "sepia"}, {"image": photo(), "mask": b"x"}, "mask"),
        ({"prompt": "sepia"}, {"image": photo(), "mask": hole((10, 90))}, "mask"),
        ({"prompt": "sepia", "size": "63x63"}, {"image": photo()}, "size"),
        ({"prompt": "sepia", "n": "0"}, {"image": photo()}, "n"),
        ({"prompt": "sepia", "n": "many"}, {"image": photo()}, "n"),
        ({"prompt": "sepia", "seed": "x"}, {"image": photo()}, "seed"),
        ({"prompt": "sepia", "response_format": "x"}, {"image": photo()}, "response_format"),
        ({"prompt": "sepia", "output_format": "gif"}, {"image": photo()}, "output_format"),
    ],
)
async def test_what_is_wrong_with_an_edit_is_named(
    gateway: Running, fields: dict[str, str], files: dict[str, bytes], param: str
) -> None:
    form = FormData(fields, default_to_multipart=True)
    form.add_field("model", "kontext")
    for name, data in files.items():
        form.add_field(name, data, filename=f"{name}.png")

    status, error = await _refused(f"{gateway.url}/v1/images/edits", data=form)

    assert status == 400, error
    assert error["param"] == param, error


async def test_an_edit_that_is_no_form_says_what_to_send(gateway: Running) -> None:
    status, error = await _refused(f"{gateway.url}/v1/images/edits", json={"prompt": "x"})

    assert (status, error["code"]) == (415, "unsupported_media_type")
    assert "image" in error["message"]


async def test_a_model_that_only_writes_draws_and_changes_nothing(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as drawn:
        await client.images.generate(model="words", prompt="a cat")
    with pytest.raises(openai.BadRequestError) as changed:
        await client.images.edit(model="words", image=("a.png", photo()), prompt="sepia")

    assert drawn.value.code == changed.value.code == "unsupported_feature"


async def test_pictures_piece_by_piece_are_refused_and_not_answered_whole(
    client: AsyncOpenAI,
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.images.generate(model="gpt-image-1", prompt="a cat", stream=True)

    assert (refused.value.code, refused.value.param) == ("unsupported_feature", "stream")


async def test_dynasparks_client_gets_a_url_that_opens(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DynaSpark, "BASE_URL", f"{gateway.url}/api/")
    spark = DynaSpark()

    url = await asyncio.to_thread(
        spark.generate_image, "A serene lake", width=200, height=100, nologo=True, seed=7
    )

    picture = await fetched(url)
    assert (picture.format, picture.size) == ("JPEG", (200, 100))
    assert url == (f"{gateway.url}/image/A%20serene%20lake?width=200&height=100&nologo=true&seed=7")


async def test_dynasparks_client_raises_what_the_gateway_says(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DynaSpark, "BASE_URL", f"{gateway.url}/api/")

    with pytest.raises(DynaSparkError):
        await asyncio.to_thread(DynaSpark().generate_image, "A lake", wm="w" * 65)


async def _refused(url: str, **sent: Any) -> tuple[int, JsonObject]:  # Any: what a client sends.
    """Post, and return the status and the error."""
    async with ClientSession() as session, session.post(url, **sent) as answer:
        return answer.status, (await answer.json())["error"]


def _distance(one: Image.Image, other: Image.Image) -> float:
    """Return by how much the pixels differ, from 0 to 255."""
    pairs = zip(one.tobytes(), other.tobytes(), strict=True)
    return sum(abs(a - b) for a, b in pairs) / (one.width * one.height)
