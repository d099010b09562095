"""A webui behind the gateway, as the operator's page configures it."""

import asyncio
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import aiohttp
from PIL import Image

from tests.docs.pages import blocks, page, section
from tests.plugins.sdwebui.webui import FakeWebui
from tests.running import run_gateway

BASE64 = {"response_format": "b64_json"}


def configuration(url: str) -> str:
    """Return the example of the page, with the address of a webui."""
    (example,) = blocks(section(page("docs/operator.md"), "kind: sdwebui"), "yaml")
    assert "http://127.0.0.1:7860" in example
    return example.replace("http://127.0.0.1:7860", url)


async def test_a_picture_is_drawn_by_the_webui(tmp_path: Path) -> None:
    async with (
        FakeWebui() as webui,
        run_gateway(configuration(webui.url), tmp_path) as running,
        aiohttp.ClientSession() as session,
    ):
        asked = {"model": "flux", "prompt": "a cat", "size": "512x512", "n": 2, **BASE64}
        async with session.post(f"{running.url}/v1/images/generations", json=asked) as answer:
            body = await answer.json()

    assert answer.status == 200, body
    assert len(body["data"]) == 2
    assert b64decode(body["data"][0]["b64_json"]).startswith(b"\x89PNG")
    assert webui.documents[0]["override_settings"] == {"sd_model_checkpoint": "flux1-dev"}


async def test_the_local_painter_takes_over_when_the_webui_fails(tmp_path: Path) -> None:
    async with (
        FakeWebui(refusal=(500, '{"error":"OutOfMemoryError"}')) as webui,
        run_gateway(configuration(webui.url), tmp_path) as running,
        aiohttp.ClientSession() as session,
    ):
        asked = {"model": "flux", "prompt": "a cat", "size": "256x256", **BASE64}
        async with session.post(f"{running.url}/v1/images/generations", json=asked) as answer:
            body = await answer.json()

    assert answer.status == 200, body
    assert len(webui.asked) == 1
    assert body["data"][0]["b64_json"]


async def test_a_picture_is_changed_by_the_webui_and_comes_as_large_as_asked(
    tmp_path: Path,
) -> None:
    source = BytesIO()
    Image.new("RGB", (90, 60), "teal").save(source, "PNG")
    sent = b64encode(source.getvalue()).decode()
    async with (
        FakeWebui() as webui,
        run_gateway(configuration(webui.url), tmp_path) as running,
        aiohttp.ClientSession() as session,
    ):
        given = {
            "user_input": "as a watercolour",
            "image": f"data:image/png;base64,{sent}",
            "width": 100,
            "height": 70,
            "response": "image",
        }
        async with session.post(f"{running.url}/api/generate_image", json=given) as answer:
            body = await answer.read()

    assert answer.status == 200, body
    assert Image.open(BytesIO(body)).size == (100, 70)
    (document,) = webui.documents
    assert document["init_images"][0].endswith(sent)
    assert document["prompt"] == "as a watercolour"


async def test_a_caller_who_hangs_up_frees_the_webui(tmp_path: Path) -> None:
    asked = {"model": "flux", "prompt": "a cat"}
    async with (
        FakeWebui(hold=asyncio.Event()) as webui,
        run_gateway(configuration(webui.url), tmp_path) as running,
    ):
        async with aiohttp.ClientSession() as session:
            call = asyncio.ensure_future(
                session.post(f"{running.url}/v1/images/generations", json=asked)
            )
            await webui.wait(1, "asked")
            call.cancel()
            await asyncio.wait([call])
        await webui.wait(1, "interrupted")

    assert webui.interrupted == [webui.documents[0]["force_task_id"]]
