"""What `kind: sdwebui` asks of a webui, and what it makes of its answers."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.schema.failure import Failure
from gateway.schema.images import ImageEditRequest, ImageRequest, Picture
from gateway.sdk import Attempt, ImageEditProvider, ImageProvider, ModelLister, UpstreamError
from gateway.testing.deps import make_deps
from gateway_sdwebui import connect
from gateway_sdwebui.host import Host, interrupt
from gateway_sdwebui.provider import Webui
from gateway_sdwebui.settings import WebuiSettings
from tests.plugins.sdwebui.webui import FakeWebui, png

ATTEMPT = Attempt("test", 1, 1e9)
SOURCE = Picture(png(100, 61), "image/png")
MASK = Picture(png(100, 61, colour_type=6), "image/png")


@asynccontextmanager
async def connected(
    folder: Path, base_url: str, settings: dict[str, Any] | None = None
) -> AsyncGenerator[Webui]:
    """Connect a provider to `base_url`."""
    chosen = WebuiSettings.model_validate({"base_url": base_url, **(settings or {})})
    async with make_deps("webui", folder) as deps, connect(chosen, deps) as provider:
        yield provider


async def test_words_become_a_picture_of_the_next_size_that_it_draws(tmp_path: Path) -> None:
    settings = {"cfg_scale": 1.0, "sampler_name": "Euler", "scheduler": "Simple", "steps": 4}
    async with FakeWebui() as webui, connected(tmp_path, webui.url, settings) as provider:
        request = ImageRequest("dreamshaper_8", "a cat", width=500, height=300, seed=7)
        answer = await provider.draw(request, ATTEMPT)

    ((path, document),) = webui.asked
    assert path == "/sdapi/v1/txt2img"
    assert document.pop("force_task_id").startswith("task(dynagate-")
    assert document == {
        "prompt": "a cat",
        "negative_prompt": "",
        "seed": 7,
        "batch_size": 1,
        "n_iter": 1,
        "steps": 4,
        "cfg_scale": 1.0,
        "sampler_name": "Euler",
        "scheduler": "Simple",
        "width": 504,
        "height": 304,
        "send_images": True,
        "save_images": False,
        "override_settings": {"sd_model_checkpoint": "dreamshaper_8"},
        "override_settings_restore_afterwards": True,
    }
    (made,) = answer.images
    assert made.picture == Picture(png(504, 304), "image/png")
    assert made.seed == 7


async def test_the_loaded_checkpoint_is_not_asked_for_by_name(tmp_path: Path) -> None:
    async with FakeWebui(grid=True) as webui, connected(tmp_path, webui.url) as provider:
        answer = await provider.draw(ImageRequest("current", "a cat"), ATTEMPT)

    assert webui.looked == []
    assert webui.documents[0]["override_settings"] == {}
    assert "width" not in webui.documents[0]
    assert webui.documents[0]["seed"] == -1
    assert [made.seed for made in answer.images] == [1234]
    assert answer.images[0].picture.data == png(512, 512)


@pytest.mark.parametrize("name", ["dreamshaper_8.safetensors [879db523c3]", "879db523c3"])
async def test_a_checkpoint_has_the_names_that_the_webui_gives_it(
    tmp_path: Path, name: str
) -> None:
    async with FakeWebui() as webui, connected(tmp_path, webui.url) as provider:
        for _ in range(2):
            await provider.draw(ImageRequest(name, "a cat"), ATTEMPT)

    assert webui.looked == ["/sdapi/v1/sd-models"]
    assert webui.documents[0]["override_settings"] == {"sd_model_checkpoint": name}


async def test_a_checkpoint_that_is_not_there_is_not_replaced_by_another(tmp_path: Path) -> None:
    async with FakeWebui() as webui, connected(tmp_path, webui.url) as provider:
        with pytest.raises(UpstreamError) as caught:
            await provider.draw(ImageRequest("gone", "a cat"), ATTEMPT)

    assert caught.value.failure is Failure.MODEL_GONE
    assert webui.asked == []


@pytest.mark.parametrize(
    ("n", "batch_size", "asked"),
    [(4, 1, (1, 4)), (4, 2, (2, 2)), (3, 2, (1, 3)), (6, 4, (3, 2)), (1, 8, (1, 1))],
)
async def test_several_pictures_come_in_batches_without_one_too_many(
    tmp_path: Path, n: int, batch_size: int, asked: tuple[int, int]
) -> None:
    settings = {"batch_size": batch_size, "width": 64, "height": 64}
    async with FakeWebui() as webui, connected(tmp_path, webui.url, settings) as provider:
        answer = await provider.draw(ImageRequest("current", "a cat", n=n, seed=5), ATTEMPT)

    (document,) = webui.documents
    assert (document["batch_size"], document["n_iter"]) == asked
    assert [made.seed for made in answer.images] == list(range(5, 5 + n))


async def test_seeds_that_are_no_seeds_there_stand_for_some_that_are(tmp_path: Path) -> None:
    async with FakeWebui() as webui, connected(tmp_path, webui.url) as provider:
        answer = await provider.draw(
            ImageRequest("current", "a cat", width=64, height=64, n=3, seed=-2), ATTEMPT
        )

    assert [(it["seed"], it["n_iter"]) for it in webui.documents] == [(2**32 - 2, 2), (0, 1)]
    assert [made.seed for made in answer.images] == [-2, -1, 0]


async def test_a_masked_edit_changes_what_is_transparent(tmp_path: Path) -> None:
    async with FakeWebui() as webui, connected(tmp_path, webui.url) as provider:
        answer = await provider.edit(
            ImageEditRequest("current", "a hat", sources=(SOURCE,), mask=MASK, seed=3), ATTEMPT
        )

    ((path, document),) = webui.asked
    assert path == "/sdapi/v1/img2img"
    assert document["denoising_strength"] == 0.75
    assert (document["width"], document["height"]) == (104, 64)
    assert document["inpainting_mask_invert"] == 1
    assert document["inpaint_full_res"] is False
    assert [b64decode(text) for text in document["init_images"]] == [SOURCE.data]
    assert b64decode(document["mask"]) == MASK.data
    assert document["override_settings"] == {"return_mask": False, "return_mask_composite": False}
    assert [made.seed for made in answer.images] == [3]


async def test_an_edit_without_words_is_a_variation(tmp_path: Path) -> None:
    settings = {"variation_strength": 0.3}
    async with FakeWebui() as webui, connected(tmp_path, webui.url, settings) as provider:
        await provider.edit(
            ImageEditRequest("current", "", sources=(SOURCE,), width=640, height=360), ATTEMPT
        )

    assert webui.documents[0]["denoising_strength"] == 0.3
    assert "inpainting_mask_invert" not in webui.documents[0]
    assert (webui.documents[0]["width"], webui.documents[0]["height"]) == (640, 360)


@pytest.mark.parametrize(
    ("sources", "mask", "param"),
    [
        ((SOURCE, SOURCE), None, "image"),
        ((SOURCE,), Picture(png(100, 61, colour_type=4), "image/png"), "mask"),
        ((SOURCE,), Picture(b"RIFF0000WEBP", "image/webp"), "mask"),
    ],
)
async def test_what_it_cannot_change_goes_to_another(
    tmp_path: Path, sources: tuple[Picture, ...], mask: Picture | None, param: str
) -> None:
    async with FakeWebui() as webui, connected(tmp_path, webui.url) as provider:
        with pytest.raises(UpstreamError) as caught:
            await provider.edit(ImageEditRequest("flux1-dev", "x", sources, mask=mask), ATTEMPT)

    assert (caught.value.failure, caught.value.param) == (Failure.UNSUPPORTED, param)
    assert webui.asked == []


@pytest.mark.parametrize(
    ("status", "text", "failure"),
    [
        (403, "", Failure.CREDENTIAL),
        (404, '{"detail":"Not Found"}', Failure.MODEL_GONE),
        (405, '{"detail":"Method Not Allowed"}', Failure.MODEL_GONE),
        (400, '{"error":"HTTPException","detail":"Sampler not found"}', Failure.MODEL_GONE),
        (422, '{"detail":[{"loc":["body","seed"]}]}', Failure.UNKNOWN),
        (500, '{"error":"OutOfMemoryError","detail":""}', Failure.TRANSIENT),
        (500, "Internal Server Error", Failure.TRANSIENT),
        (500, '{"error":"HTTPException","detail":"Invalid encoded image"}', Failure.UNSUPPORTED),
        (504, "", Failure.TIMEOUT),
    ],
)
async def test_a_refusal_means_what_the_webui_means_by_it(
    tmp_path: Path, status: int, text: str, failure: Failure
) -> None:
    async with (
        FakeWebui(refusal=(status, text)) as webui,
        connected(tmp_path, webui.url) as provider,
    ):
        with pytest.raises(UpstreamError) as caught:
            await provider.draw(ImageRequest("current", "a cat"), ATTEMPT)

    assert (caught.value.failure, caught.value.status) == (failure, status)


async def test_an_api_that_is_not_started_is_said_to_be(tmp_path: Path) -> None:
    async with FakeWebui() as webui, connected(tmp_path, f"{webui.url}/elsewhere") as provider:
        with pytest.raises(UpstreamError, match="start it with --api"):
            await provider.models()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"images": null}', b'{"images": ["!"]}', b'{"images": ["R0lGODlh"]}']
)
async def test_an_answer_that_is_none_is_the_upstreams_fault(tmp_path: Path, body: bytes) -> None:
    async with FakeWebui(garbage=body) as webui, connected(tmp_path, webui.url) as provider:
        with pytest.raises(UpstreamError) as caught:
            await provider.draw(ImageRequest("current", "a cat"), ATTEMPT)

    assert caught.value.failure is Failure.TRANSIENT


async def test_fewer_pictures_than_asked_for_are_no_answer(tmp_path: Path) -> None:
    async with FakeWebui(short=True) as webui, connected(tmp_path, webui.url) as provider:
        with pytest.raises(UpstreamError, match="2 pictures were asked for, 1 came"):
            await provider.draw(ImageRequest("current", "a cat", n=2), ATTEMPT)


async def test_nobody_there_is_transient(tmp_path: Path) -> None:
    async with connected(tmp_path, "http://127.0.0.1:9") as provider:
        with pytest.raises(UpstreamError) as caught:
            await provider.draw(ImageRequest("current", "a cat"), ATTEMPT)

    assert caught.value.failure is Failure.TRANSIENT


async def test_the_password_is_sent_and_a_wrong_one_is_the_operators_fault(tmp_path: Path) -> None:
    settings = {"username": "ada", "password": "open sesame"}
    async with FakeWebui(auth="ada:open sesame") as webui:
        async with connected(tmp_path, webui.url, settings) as provider:
            listed = await provider.models()
        async with connected(tmp_path, webui.url, settings | {"password": "x"}) as provider:
            with pytest.raises(UpstreamError) as caught:
                await provider.models()

    assert [model.id for model in listed] == ["current", "dreamshaper_8", "flux1-dev"]
    assert caught.value.failure is Failure.CREDENTIAL


async def test_it_is_what_the_gateway_looks_for(tmp_path: Path) -> None:
    async with connected(tmp_path, "http://127.0.0.1:9", {"deterministic": True}) as provider:
        assert isinstance(provider, ImageProvider)
        assert isinstance(provider, ImageEditProvider)
        assert isinstance(provider, ModelLister)
        card = provider.card("any")

    assert (card.input_modalities, card.output_modalities) == (("text", "image"), ("image",))
    assert card.deterministic is True
    assert card.price is None


async def test_a_caller_who_leaves_has_his_picture_interrupted(tmp_path: Path) -> None:
    async with (
        FakeWebui(hold=asyncio.Event()) as webui,
        connected(tmp_path, webui.url) as provider,
    ):
        call = asyncio.get_running_loop().create_task(
            provider.draw(ImageRequest("current", "a cat"), ATTEMPT)
        )
        await webui.wait(1, "asked")
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await webui.wait(1, "interrupted")

    assert webui.interrupted == [webui.documents[0]["force_task_id"]]


async def test_another_callers_picture_is_drawn_to_its_end(tmp_path: Path) -> None:
    async with (
        FakeWebui(hold=asyncio.Event(), current="task(theirs)") as webui,
        connected(tmp_path, webui.url) as provider,
    ):
        call = asyncio.get_running_loop().create_task(
            provider.draw(ImageRequest("current", "a cat"), ATTEMPT)
        )
        await webui.wait(1, "asked")
        call.cancel()
        await asyncio.wait([call])
        await webui.wait(1, "looked")
        assert webui.interrupted == []
        webui.current = webui.documents[0]["force_task_id"]
        await webui.wait(1, "interrupted")

    assert webui.interrupted == [webui.documents[0]["force_task_id"]]


async def test_without_its_page_nothing_is_interrupted(tmp_path: Path) -> None:
    async with (
        FakeWebui(hold=asyncio.Event(), has_page=False) as webui,
        connected(tmp_path, webui.url) as provider,
    ):
        call = asyncio.get_running_loop().create_task(
            provider.draw(ImageRequest("current", "a cat"), ATTEMPT)
        )
        await webui.wait(1, "asked")
        call.cancel()
        await asyncio.wait([call])

    assert webui.interrupted == []


async def test_a_photograph_is_changed_in_a_size_that_a_gpu_holds(tmp_path: Path) -> None:
    photo = Picture(png(4000, 1000), "image/png")
    odd = Picture(b"????ftypavif", "image/avif")
    async with FakeWebui() as webui, connected(tmp_path, webui.url) as provider:
        for source in (photo, odd):
            await provider.edit(ImageEditRequest("current", "x", (source,)), ATTEMPT)

    first, second = webui.documents
    assert (first["width"], first["height"]) == (2048, 512)
    assert "width" not in second


@pytest.mark.parametrize(
    ("head", "media_type"),
    [(b"\xff\xd8\xff\xe0", "image/jpeg"), (b"RIFF\x00\x00\x00\x00WEBP", "image/webp")],
)
async def test_pictures_come_as_the_page_is_set_to_store_them(
    tmp_path: Path, head: bytes, media_type: str
) -> None:
    answer = f'{{"images": ["{b64encode(head).decode()}"], "info": "no JSON"}}'.encode()
    async with FakeWebui(garbage=answer) as webui, connected(tmp_path, webui.url) as provider:
        made = (await provider.draw(ImageRequest("current", "a cat"), ATTEMPT)).images

    assert [(it.picture, it.seed) for it in made] == [(Picture(head, media_type), None)]


@pytest.mark.parametrize("state", [{"completed": True}, {}])
async def test_a_task_that_has_ended_or_was_never_heard_of_is_let_be(
    tmp_path: Path, state: dict[str, bool]
) -> None:
    class Elsewhere(FakeWebui):
        async def _progress(self, request: web.Request) -> web.Response:
            self.looked.append(request.path)
            return web.json_response({"active": False, "queued": False, **state})

    async with Elsewhere() as webui, make_deps("webui", tmp_path) as deps:
        settings = WebuiSettings(base_url=webui.url)
        await interrupt(Host(deps.http, settings), "task(x)", pause_s=0)

    assert webui.interrupted == []
    assert len(webui.looked) == (1 if state else 6)


async def test_an_answer_that_breaks_off_is_interrupted_too(tmp_path: Path) -> None:
    class Breaking(FakeWebui):
        async def _draw(self, request: web.Request) -> web.Response:
            self.current = (await request.json())["force_task_id"]
            assert request.transport is not None
            request.transport.abort()
            return web.Response()

    async with Breaking() as webui, connected(tmp_path, webui.url) as provider:
        with pytest.raises(UpstreamError) as caught:
            await provider.draw(ImageRequest("current", "a cat"), ATTEMPT)
        await webui.wait(1, "interrupted")

    assert caught.value.failure is Failure.TRANSIENT
    assert webui.interrupted == [webui.current]


@pytest.mark.parametrize("listing", ["<html>", "{}"])
async def test_a_list_of_checkpoints_that_is_none_is_the_upstreams_fault(
    tmp_path: Path, listing: str
) -> None:
    class Lost(FakeWebui):
        async def _models(self, request: web.Request) -> web.Response:
            return web.Response(text=listing)

    async with Lost() as webui, connected(tmp_path, webui.url) as provider:
        with pytest.raises(UpstreamError) as caught:
            await provider.draw(ImageRequest("flux1-dev", "a cat"), ATTEMPT)

    assert caught.value.failure is Failure.TRANSIENT
