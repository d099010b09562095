"""Pictures in a conversation, on their way to a model that reads text alone."""

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from gateway.schema.chat import ChatRequest, ImagePart, Message, TextPart
from gateway.schema.failure import Failure
from gateway.sdk import UpstreamError
from gateway.testing.deps import make_deps
from gateway_local.pictures import Seer
from tests.plugins.local.workshops import make_workshop


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
async def seeing(folder: Path) -> AsyncGenerator[Seer]:
    async with make_deps("local", folder) as deps:
        workshop = make_workshop(deps, {"look": {"threads": 1}})
        stop = deps.background.start("workshop", workshop.run())
        try:
            yield Seer(workshop, context=1000)
        finally:
            stop()
            await workshop.stopped()


async def test_a_picture_is_named_where_it_stood_and_told_of_first(tmp_path: Path) -> None:
    async with seeing(tmp_path) as seer:
        request = await seer.told(asked(inline(invoice())))

    system, user = request.messages
    assert "42.49" in system.text
    assert "600 x 160" in system.text
    assert user.text == "What is it?\n[picture 1]"


async def test_a_conversation_without_pictures_stays_as_it_is(tmp_path: Path) -> None:
    request = asked()

    async with seeing(tmp_path) as seer:
        assert await seer.told(request) is request


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:9/a.png", "must be base64"),
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
            await seer.told(asked(url))

    assert (raised.value.failure, raised.value.param) == (Failure.CALLER_FAULT, "messages")
    assert "127.0.0.1" not in raised.value.message


async def test_too_many_pictures_are_not_begun_with(tmp_path: Path) -> None:
    async with seeing(tmp_path) as seer:
        with pytest.raises(UpstreamError, match="9 pictures"):
            await seer.told(asked(*[inline(b"")] * 9))
