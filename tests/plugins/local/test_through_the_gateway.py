"""The shipped file, through the socket: what each engine answers; a voice that is heard again."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest
from openai import AsyncOpenAI
from PIL import Image

from gateway.config.places import cache_dir
from gateway_local.catalogue import EMBED_ID, TRANSCRIBE_ID
from gateway_local.pull import LocalWeights
from gateway_local.voices import VOICES
from tests.running import Running, run_gateway

SHIPPED = Path(__file__).parents[3] / "config.yaml"
SENTENCE = "Every one of these voices runs on this computer."


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """The shipped configuration, with the user's own weights."""
    cache = cache_dir(os.environ)
    for name in (EMBED_ID, TRANSCRIBE_ID):
        await asyncio.to_thread(LocalWeights().pull, name, cache, lambda _what, _done, _all: None)
    environ = {"DYNAGATE_CACHE_DIR": str(cache)}
    text = SHIPPED.read_text("utf-8")
    async with run_gateway(text, tmp_path, environ=environ) as running:
        yield running


@pytest.fixture
async def client(gateway: Running) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's own client."""
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("voice", VOICES)
async def test_what_a_voice_says_is_written_down_word_for_word(
    client: AsyncOpenAI, voice: str
) -> None:
    sound = await client.audio.speech.create(model="tts-1", input=SENTENCE, voice=voice)
    heard = await client.audio.transcriptions.create(
        model="whisper-1",
        file=("speech.mp3", sound.content),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )

    assert heard.text == SENTENCE
    assert heard.language == "en"
    assert heard.words is not None
    assert [word.word.strip(".") for word in heard.words] == SENTENCE.strip(".").split()


@pytest.mark.slow
async def test_texts_that_mean_the_same_are_near_each_other(client: AsyncOpenAI) -> None:
    texts = ["How do I reset my password?", "I forgot my login", "Bees make honey"]

    answer = await client.embeddings.create(model="text-embedding-3-small", input=texts)

    first, second, third = (row.embedding for row in answer.data)
    near = sum(a * b for a, b in zip(first, second, strict=True))
    far = sum(a * b for a, b in zip(first, third, strict=True))
    assert len(first) == 384
    assert near > 0.5
    assert far < 0.2


@pytest.mark.parametrize(
    "form", ["png", *(pytest.param(form, marks=pytest.mark.slow) for form in ("jpeg", "webp"))]
)
async def test_the_same_seed_draws_the_same_picture(
    client: AsyncOpenAI, form: Literal["png", "jpeg", "webp"]
) -> None:
    made = [
        await client.images.generate(
            model="flux",
            prompt="a red house under a starry sky",
            size="256x256",
            output_format=form,
            response_format="b64_json",
            extra_body={"seed": seed},
        )
        for seed in (7, 7, 8)
    ]

    drawn = [base64.b64decode((answer.data or [])[0].b64_json or "") for answer in made]
    pictures = [Image.open(BytesIO(data)) for data in drawn]
    assert [(picture.format, picture.size) for picture in pictures] == [
        (form.upper(), (256, 256))
    ] * 3
    assert drawn[0] == drawn[1] != drawn[2]
    assert "not an AI" in str((made[0].data or [])[0].revised_prompt)


async def test_threats_are_flagged_and_news_are_not(client: AsyncOpenAI) -> None:
    said = ["I will kill you tonight", "The minister opened a bridge on Monday"]

    answer = await client.moderations.create(input=said)

    assert [result.flagged for result in answer.results] == [True, False]
    assert answer.model == "lexicon-heuristic-en"
