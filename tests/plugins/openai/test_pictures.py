"""What `kind: openai` sends for pictures, byte by byte, and what it makes of the answers."""

import base64
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path

import orjson
import pytest

from gateway.schema.failure import Failure
from gateway.schema.images import ImageEditRequest, ImageRequest, Picture
from gateway.sdk import Attempt, ImageEditProvider, UpstreamError
from gateway.testing.deps import make_deps
from gateway.testing.upstream import FakeUpstream, UpstreamRequest, body, status
from gateway_openai import connect
from gateway_openai.provider import OpenAI
from gateway_openai.settings import OpenAISettings

ATTEMPT = Attempt("test", 1, 1e9)
PNG = b"\x89PNG\r\n\x1a\nrest"
SOURCE = Picture(PNG, "image/png")
PHOTO = Picture(b"\xff\xd8\xff\x00\r\n--\r\n", "image/jpeg")
EDIT = ImageEditRequest("gpt-image-2", "a hat", (SOURCE,))


@asynccontextmanager
async def connected(
    folder: Path, upstream: FakeUpstream, *, is_reachable: bool = True
) -> AsyncGenerator[OpenAI]:
    """Connect to the upstream; `is_reachable` is whether its links may be fetched."""
    settings = OpenAISettings.model_validate({"base_url": f"{upstream.url}/v1"})
    egress = [f"127.0.0.0/8:{upstream.url.rpartition(':')[2]}"] if is_reachable else []
    async with make_deps("host", folder, egress=egress) as deps, connect(settings, deps) as found:
        yield found


def pictures(*rows: bytes | str) -> bytes:
    """Return a reply of pictures: bytes in base64, links as they are."""
    data = [
        {"url": row} if isinstance(row, str) else {"b64_json": base64.b64encode(row).decode()}
        for row in rows
    ]
    return orjson.dumps({"created": 1, "data": data})


def form_of(request: UpstreamRequest) -> list[tuple[str, str, str, bytes]]:
    """Return name, file name, type and bytes of each part, by a parser that is not ours."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    found = []
    for part in message.iter_parts():
        disposition = part["content-disposition"].params
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        kind = part.get_content_type() if part["content-type"] else ""
        found.append((disposition["name"], disposition.get("filename", ""), kind, data))
    return found


async def test_an_edit_is_a_form_with_its_picture_and_mask(tmp_path: Path) -> None:
    async with FakeUpstream(default=body(pictures(PNG))) as upstream:
        async with connected(tmp_path, upstream) as provider:
            assert isinstance(provider, ImageEditProvider)
            answer = await provider.edit(
                replace(EDIT, mask=SOURCE, n=2, quality="high", media_type="image/webp"), ATTEMPT
            )
        (request,) = upstream.requests

    assert (request.method, request.path) == ("POST", "/v1/images/edits")
    assert re.fullmatch(
        r"multipart/form-data; boundary=dynagate-[0-9a-f]{32}", request.headers["content-type"]
    )
    assert form_of(request) == [
        ("prompt", "", "", b"a hat"),
        ("model", "", "", b"gpt-image-2"),
        ("n", "", "", b"2"),
        ("quality", "", "", b"high"),
        ("output_format", "", "", b"webp"),
        ("image", "image-0.png", "image/png", PNG),
        ("mask", "mask-0.png", "image/png", PNG),
    ]
    assert [made.picture for made in answer.images] == [SOURCE]


async def test_several_pictures_are_a_list_of_the_form(tmp_path: Path) -> None:
    async with FakeUpstream(default=body(pictures(PNG))) as upstream:
        async with connected(tmp_path, upstream) as provider:
            edit = replace(EDIT, model="flux-kontext", sources=(SOURCE, PHOTO))
            await provider.edit(replace(edit, width=1000, height=700), ATTEMPT)
        (request,) = upstream.requests

    assert form_of(request)[3:] == [
        ("size", "", "", b"1000x700"),
        ("response_format", "", "", b"b64_json"),
        ("image[]", "image-0.png", "image/png", PNG),
        ("image[]", "image-1.jpeg", "image/jpeg", PHOTO.data),
    ]


async def test_no_words_are_a_variation(tmp_path: Path) -> None:
    async with FakeUpstream(default=body(pictures(PNG))) as upstream:
        async with connected(tmp_path, upstream) as provider:
            await provider.edit(replace(EDIT, prompt="", model="dall-e-2"), ATTEMPT)
            await provider.edit(replace(EDIT, prompt=""), ATTEMPT)
        own, in_words = upstream.requests

    assert own.path == "/v1/images/variations"
    assert form_of(own) == [
        ("model", "", "", b"dall-e-2"),
        ("n", "", "", b"1"),
        ("response_format", "", "", b"b64_json"),
        ("image", "image-0.png", "image/png", PNG),
    ]
    assert in_words.path == "/v1/images/edits"
    assert form_of(in_words)[0] == ("prompt", "", "", b"Draw a variation of this picture.")


@pytest.mark.parametrize(
    ("edit", "param"),
    [
        (replace(EDIT, model="dall-e-2", sources=(SOURCE, SOURCE)), "image"),
        (replace(EDIT, model="dall-e-3"), "image"),
        (replace(EDIT, sources=()), "image"),
        (replace(EDIT, model="dall-e-2", prompt="", mask=SOURCE), "mask"),
    ],
)
async def test_what_a_model_cannot_change_goes_to_another(
    tmp_path: Path, edit: ImageEditRequest, param: str
) -> None:
    async with FakeUpstream() as upstream, connected(tmp_path, upstream) as provider:
        with pytest.raises(UpstreamError) as caught:
            await provider.edit(edit, ATTEMPT)

    assert (caught.value.failure, caught.value.param) == (Failure.UNSUPPORTED, param)
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("model", "asked", "size"),
    [
        ("gpt-image-1", (1792, 1024), "1536x1024"),
        ("gpt-image-1.5", (640, 640), "1024x1024"),
        ("gpt-image-1-mini", (500, 900), "1024x1536"),
        ("openai/gpt-image-2", (1536, 864), "1536x864"),
        ("gpt-image-2", (1000, 700), "1536x1024"),
        ("gpt-image-2", (512, 512), "1024x1024"),
        ("gpt-image-10", (1536, 864), "1536x864"),
        ("chatgpt-image-latest", (1024, 1600), "1024x1536"),
        ("dall-e-2", (300, 300), "512x512"),
        ("dall-e-2", (256, 256), "256x256"),
        ("dall-e-2", (2048, 1024), "1024x1024"),
        ("dall-e-3", (1920, 1080), "1792x1024"),
        ("flux", (1000, 700), "1000x700"),
    ],
)
async def test_a_size_is_the_nearest_that_the_model_takes(
    tmp_path: Path, model: str, asked: tuple[int, int], size: str
) -> None:
    async with (
        FakeUpstream(default=body(pictures(PNG))) as upstream,
        connected(tmp_path, upstream) as provider,
    ):
        request = ImageRequest(model, "a cat", width=asked[0], height=asked[1])
        await provider.draw(request, ATTEMPT)

    document = upstream.requests[0].document
    assert document["size"] == size
    assert document.get("output_format") == ("png" if "gpt-" in model else None)
    assert document.get("response_format") == (None if "gpt-" in model else "b64_json")


async def test_a_model_that_draws_one_at_a_time_is_asked_several_times(tmp_path: Path) -> None:
    async with (
        FakeUpstream(default=body(pictures(PNG))) as upstream,
        connected(tmp_path, upstream) as provider,
    ):
        answer = await provider.draw(ImageRequest("dall-e-3", "a cat", n=5), ATTEMPT)

    assert [request.document["n"] for request in upstream.requests] == [1] * 5
    assert len(answer.images) == 5


async def test_one_refusal_among_several_is_the_answer(tmp_path: Path) -> None:
    async with FakeUpstream(default=body(pictures(PNG))) as upstream:
        upstream.will(status(400, "not this cat"))
        async with connected(tmp_path, upstream) as provider:
            with pytest.raises(UpstreamError, match="not this cat") as caught:
                await provider.draw(ImageRequest("dall-e-3", "a cat", n=2), ATTEMPT)

    assert caught.value.failure is Failure.CALLER_FAULT


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (PHOTO.data, "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"GIF89a...", "image/gif"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1avif", "image/avif"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif", "image/avif"),
    ],
)
async def test_a_picture_is_what_its_bytes_say(
    tmp_path: Path, data: bytes, media_type: str
) -> None:
    inline = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    async with (
        FakeUpstream(default=body(pictures(data, inline))) as upstream,
        connected(tmp_path, upstream) as provider,
    ):
        answer = await provider.draw(ImageRequest("flux", "a cat"), ATTEMPT)

    assert [made.picture for made in answer.images] == [Picture(data, media_type)] * 2


@pytest.mark.parametrize(
    "reply",
    [
        pictures(b"<html>"),
        b'{"data": [{"b64_json": "!"}]}',
        b'{"data": [{}]}',
        b'{"data": ["x"]}',
        pictures(b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"),
    ],
)
async def test_what_is_no_picture_is_the_upstreams_fault(tmp_path: Path, reply: bytes) -> None:
    async with (
        FakeUpstream(default=body(reply)) as upstream,
        connected(tmp_path, upstream) as provider,
    ):
        with pytest.raises(UpstreamError) as caught:
            await provider.draw(ImageRequest("flux", "a cat"), ATTEMPT)

    assert caught.value.failure is Failure.TRANSIENT


async def test_a_link_in_an_answer_is_fetched(tmp_path: Path) -> None:
    async with FakeUpstream() as upstream:
        upstream.listing = body(PNG, content_type="image/png")
        upstream.will(body(pictures(f"{upstream.url}/v1/models")))
        async with connected(tmp_path, upstream) as provider:
            answer = await provider.draw(ImageRequest("flux", "a cat"), ATTEMPT)

    assert [made.picture for made in answer.images] == [SOURCE]
    assert "authorization" not in upstream.requests[1].headers


@pytest.mark.parametrize(
    ("path", "is_reachable"), [("/v1/models", False), ("/nowhere", True), ("/v1/models", True)]
)
async def test_a_link_that_gives_no_picture_is_the_upstreams_fault(
    tmp_path: Path, path: str, *, is_reachable: bool
) -> None:
    async with FakeUpstream() as upstream:
        upstream.will(body(pictures(upstream.url + path)))
        upstream.listing = body(b"x" * (33 * 1024 * 1024))
        async with connected(tmp_path, upstream, is_reachable=is_reachable) as provider:
            with pytest.raises(UpstreamError) as caught:
                await provider.draw(ImageRequest("flux", "a cat"), ATTEMPT)

    assert caught.value.failure is Failure.TRANSIENT
