"""Pictures in a conversation, on their way to a model that reads text alone."""

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from gateway.schema.chat import ChatRequest, ImagePart, Message, TextPart
from gateway.schema.failure import Failure
from gateway.sdk import Attempt, UpstreamError
from gateway.testing.deps import make_deps
from gateway.testing.upstream import FakeUpstream, body, status
from gateway_local.pictures import Seer
from tests.plugins.local.workshops import make_workshop

FAR = 1e12


def invoice() -> bytes:
    picture = Image.new("RGB", (600, 160), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((20, 40), "TOTAL 42.49 EUR", fill="black", font=ImageFont.load_default(40))
    data = BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def inline(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def asked(*urls: str) -> ChatRequest:
    pictures = [ImagePart(url) for url in urls]
    return ChatRequest("chat", (Message("user", (TextPart("What is it?"), *pictures)),))


@asynccontextmanager
async def seeing(folder: Path, *egress: str) -> AsyncGenerator[Seer]:
    async with make_deps("local", folder, egress=egress) as deps:
        workshop = make_workshop(deps, {"look": {"threads": 1}})
        stop = deps.background.start("workshop", workshop.run())
        try:
            yield Seer(workshop, deps.fetch, context=1000)
        finally:
            stop()
            await workshop.stopped()


async def told(seer: Seer, request: ChatRequest) -> ChatRequest:
    return await seer.told(request, Attempt("r", 1, FAR))


async def test_a_picture_is_named_where_it_stood_and_told_of_first(tmp_path: Path) -> None:
    async with seeing(tmp_path) as seer:
        request = await told(seer, asked(inline(invoice())))

    system, user = request.messages
    assert "42.49" in system.text
    assert "600 x 160" in system.text
    assert user.text == "What is it?\n[picture 1]"


async def test_a_conversation_without_pictures_stays_as_it_is(tmp_path: Path) -> None:
    request = asked()

    async with seeing(tmp_path) as seer:
        assert await told(seer, request) is request


async def test_a_url_is_fetched_where_the_operator_allows_it(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    upstream.listing = body(invoice(), content_type="text/html")
    place = upstream.url.removeprefix("http://")

    async with seeing(tmp_path, place) as seer:
        request = await told(seer, asked(f"{upstream.url}/v1/models"))

    assert "42.49" in request.messages[0].text


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9/a.png", "cannot be fetched"),
        ("http://169.254.169.254/latest", "cannot be fetched"),
        ("http://localhost/a.png", "cannot be fetched"),
        ("data:image/png,xx", "must be base64"),
        ("data:image/png;base64,%%%", "not base64"),
        ("data:image/png;base64," + "A" * 14_000_000, "more than"),
        (inline(b"<html>"), "no picture"),
        (inline(invoice()[:200]), "broken"),
    ],
)
async def test_what_is_no_picture_to_be_had_is_the_callers_fault(
    tmp_path: Path, url: str, why: str
) -> None:
    async with seeing(tmp_path) as seer:
        with pytest.raises(UpstreamError, match=why) as raised:
            await told(seer, asked(url))

    assert (raised.value.failure, raised.value.param) == (Failure.CALLER_FAULT, "messages")
    assert "127.0.0.1" not in raised.value.message


async def test_a_page_that_is_not_there_and_too_many_pictures_are_told_apart(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    upstream.listing = status(404, "gone")
    gone: Any = f"{upstream.url}/v1/models"

    async with seeing(tmp_path, upstream.url.removeprefix("http://")) as seer:
        with pytest.raises(UpstreamError, match="answered 404"):
            await told(seer, asked(gone))
        with pytest.raises(UpstreamError, match="9 pictures"):
            await told(seer, asked(*[inline(b"")] * 9))
