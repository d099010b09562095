"""The shipped file with its full model: a question about what is written in a picture."""

import asyncio
import base64
import io
import os
from pathlib import Path

import pytest
from openai import AsyncOpenAI
from PIL import Image, ImageDraw, ImageFont

from gateway.config.places import cache_dir
from gateway.testing.upstream import FakeUpstream, body
from gateway_local.catalogue import DEFAULT_ID
from gateway_local.pull import LocalWeights
from tests.running import run_gateway

SHIPPED = Path(__file__).parents[3] / "config.yaml"
LINES = ("INVOICE 2026-117", "Customer: Maria Lopez", "City: Valencia", "TOTAL: 42.49 EUR")
QUESTION = "What is the total on this invoice, who is the customer and in which city?"


def invoice() -> bytes:
    """Return a picture of an invoice."""
    image = Image.new("RGB", (800, 340), "white")
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(LINES):
        place = (40, 40 + 70 * row)
        draw.text(place, line, fill="black", font=ImageFont.load_default(32))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("is_link", [False, True])
async def test_the_question_about_an_invoice_is_answered(
    tmp_path: Path, upstream: FakeUpstream, *, is_link: bool
) -> None:
    cache = cache_dir(os.environ)
    await asyncio.to_thread(LocalWeights().pull, DEFAULT_ID, cache, lambda _what, _done, _all: None)
    upstream.file = body(invoice(), content_type="image/png")
    place = upstream.url.removeprefix("http://")
    text = f"{SHIPPED.read_text('utf-8')}\negress: {{allow: ['{place}']}}\n"
    inline = f"data:image/png;base64,{base64.b64encode(invoice()).decode()}"
    url = f"{upstream.url}/files/invoice.png" if is_link else inline
    parts = [{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": url}}]

    async with (
        run_gateway(text, tmp_path, environ={"DYNAGATE_CACHE_DIR": str(cache)}) as running,
        AsyncOpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0) as client,
    ):
        answer = await client.chat.completions.create(
            model="openai",
            messages=[{"role": "user", "content": parts}],  # type: ignore[misc,list-item]  # As JSON.
            temperature=0,
            seed=1,
            max_tokens=80,
        )

    said = answer.choices[0].message.content or ""
    assert "42.49" in said
    assert "Maria Lopez" in said
    assert "Valencia" in said
