"""Pictures that callers point at: fetched here, guarded, and handed on as bytes."""

import asyncio
import base64
import io
import struct
import zlib

import pytest
from PIL import Image

from gateway.testing.upstream import FakeUpstream, body, hang_in_stream, reply, status
from tests.contract.asking import Asker, Reply, assert_refused, heard
from tests.contract.conftest import Begin

PAINTS = {"targets": [{"provider": "here", "model": "painter"}]}
SKETCH = "make it a sketch"


def encoded(form: str = "PNG", size: tuple[int, int] = (80, 60)) -> bytes:
    """Return a small picture."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(out, form)
    return out.getvalue()


def claimed(width: int, height: int) -> bytes:
    """Return a PNG that says it is so large, and is not."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.fixture
async def caller(begin: Begin, second: FakeUpstream) -> Asker:
    """Somebody who calls a gateway that paints, and may fetch from `second`."""
    port = second.url.rpartition(":")[2].split("/")[0]
    return await begin(
        models={"flux": PAINTS, "kontext": PAINTS},
        more={"here": {"kind": "local"}},
        egress={"allow": [f"127.0.0.1:{port}"]},
    )


async def look(caller: Asker, url: str, **fields: object) -> Reply:
    """Ask the upstream's model about a picture."""
    part = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    turn = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, part]}
    return await caller.post(
        "/v1/chat/completions", {"model": "openai", "messages": [turn], **fields}
    )


async def change(caller: Asker, image: str, **fields: object) -> Reply:
    """Ask the painter for a change."""
    given = {"user_input": SKETCH, "model": "kontext", "response": "image", "image": image}
    return await caller.post("/api/generate_image", {**given, **fields})


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_host_that_is_not_public_gets_the_picture_and_not_its_url(
    caller: Asker, upstream: FakeUpstream, second: FakeUpstream, *, is_stream: bool
) -> None:
    second.file = body(encoded("JPEG"), content_type="text/plain")
    upstream.default = reply("a gradient")

    answer = await look(caller, f"{second.url}/files/a.png?secret=1", stream=is_stream)

    assert answer.status == 200
    part = heard(upstream)["messages"][0]["content"][1]
    assert part["image_url"]["detail"] == "low"
    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert base64.b64decode(data) == encoded("JPEG")
    asked = second.requests[0]
    assert "authorization" not in asked.headers
    assert "cookie" not in asked.headers


async def test_a_data_url_passes_as_it_is(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.default = reply("a cat")
    url = f"data:image/png;base64,{base64.b64encode(encoded()).decode()}"

    answer = await look(caller, url)

    assert answer.status == 200
    assert heard(upstream)["messages"][0]["content"][1]["image_url"]["url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost/a.png",
        "http://127.0.0.1/a.png",
        "http://127.1/a.png",
        "http://2130706433/a.png",
        "http://0x7f000001/a.png",
        "http://0177.0.0.1/a.png",
        "http://[::1]/a.png",
        "http://[::ffff:127.0.0.1]/a.png",
        "http://[64:ff9b::7f00:1]/a.png",
        "http://[2002:7f00:1::]/a.png",
        "http://0.0.0.0/a.png",
        "http://10.0.0.1/a.png",
        "http://user:pass@example.com/a.png",
        "http://example.com:22/a.png",
    ],
)
async def test_nothing_is_fetched_that_must_not_be(
    caller: Asker, upstream: FakeUpstream, url: str
) -> None:
    seen = await look(caller, url)
    changed = await change(caller, url)

    place = "messages[0].content[1].image_url.url"
    assert_refused(seen, 400, "invalid_parameter", place)
    error = assert_refused(changed, 400, "invalid_parameter", "image")
    assert "127.0.0.1" not in error["message"]
    assert upstream.requests == []


@pytest.mark.parametrize(
    "data",
    [
        b"<html><body>not a picture</body></html>",
        b"",
        claimed(50_000, 50_000),
        b"GIF89a",
        b"\xff\xd8\xff" + bytes(100),
        bytes(11 * 1024 * 1024),
    ],
    ids=["html", "empty", "bomb", "gif", "jpeg", "large"],
)
async def test_what_is_no_picture_is_refused_and_named(
    caller: Asker, upstream: FakeUpstream, second: FakeUpstream, data: bytes
) -> None:
    second.file = body(data, content_type="image/png")

    seen = await look(caller, f"{second.url}/files/a.png")
    changed = await change(caller, f"{second.url}/files/a.png")

    place = "messages[0].content[1].image_url.url"
    assert_refused(seen, 400, "invalid_parameter", place)
    assert_refused(changed, 400, "invalid_parameter", "image")
    assert upstream.requests == []


async def test_a_server_that_says_no_is_told(caller: Asker, second: FakeUpstream) -> None:
    second.file = status(404)

    answer = await change(caller, f"{second.url}/files/a.png")

    assert "404" in assert_refused(answer, 400, "invalid_parameter", "image")["message"]


async def test_more_than_sixteen_are_too_many(caller: Asker, second: FakeUpstream) -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": f"{second.url}/files/{number}.png"}}
        for number in range(17)
    ]
    document = {"model": "openai", "messages": [{"role": "user", "content": parts}]}

    answer = await caller.post("/v1/chat/completions", document)

    assert "17" in assert_refused(answer, 400, "invalid_parameter")["message"]
    assert second.requests == []


async def test_a_caller_who_leaves_ends_the_fetch(caller: Asker, second: FakeUpstream) -> None:
    second.file = hang_in_stream()
    asking = asyncio.create_task(change(caller, f"{second.url}/files/a.png"))
    await second.wait_requests()

    asking.cancel()
    await asyncio.wait([asking])

    await second.wait_abandoned()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
async def test_pictures_of_the_usual_kinds_are_changed(
    caller: Asker, second: FakeUpstream, form: str
) -> None:
    second.file = body(encoded(form), content_type="application/octet-stream")

    changed = await change(caller, f"{second.url}/files/a", width=128, height=96)
    inline = f"data:;base64,{base64.b64encode(encoded(form)).decode()}"
    from_data = await change(caller, inline, width=128, height=96)

    assert changed.status == 200, changed.body[:300]
    assert from_data.status == 200, from_data.body[:300]
    assert Image.open(io.BytesIO(changed.body)).size == (128, 96)


async def test_a_change_that_the_painter_does_not_know_lists_those_it_does(
    caller: Asker, second: FakeUpstream
) -> None:
    second.file = body(encoded(), content_type="image/png")

    answer = await change(caller, f"{second.url}/files/a.png", user_input="Transform this, please")

    error = assert_refused(answer, 400, "upstream_rejected")
    assert "sketch" in error["message"]
    assert "pixel" in error["message"]


async def test_a_picture_made_of_a_data_url_gets_a_url_that_only_reads(caller: Asker) -> None:
    data = f"data:image/png;base64,{base64.b64encode(encoded()).decode()}"

    answer = await change(caller, data, response="json")

    assert "/image/-?id=" in answer.json()["image_url"]


async def test_a_picture_made_of_a_link_can_be_made_again(
    caller: Asker, second: FakeUpstream
) -> None:
    second.file = body(encoded(), content_type="image/png")
    link = f"{second.url}/files/a.png"

    answer = await change(caller, link, response="json", seed=3)
    url = answer.json()["image_url"]
    shown = await caller.get(url.removeprefix(caller.gateway.url))

    assert url.endswith("&seed=3")
    assert "image=http%3A" in url
    assert shown.headers["Content-Type"] == "image/jpeg"
