"""The shipped file, through the socket: speech goes into a conversation, and comes out of it."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import openai
import pytest
from openai import AsyncOpenAI

from gateway.config.places import cache_dir
from gateway_local.catalogue import TINY_ID, TRANSCRIBE_ID
from gateway_local.pull import LocalWeights
from gateway_local.sound import HEARD_HZ, decode
from tests.running import Running, run_gateway

SHIPPED = Path(__file__).parents[3] / "config.yaml"
SENTENCE = "The train to London leaves in the morning."
DATA = "messages[0].content[0].input_audio.data"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    """The shipped configuration with the tiny model, and the user's own weights."""
    cache = cache_dir(os.environ)
    for name in (TINY_ID, TRANSCRIBE_ID):
        await asyncio.to_thread(LocalWeights().pull, name, cache, lambda _what, _done, _all: None)
    text = SHIPPED.read_text("utf-8").replace("model: qwen2.5-coder-0.5b", f"model: {TINY_ID}")
    async with run_gateway(text, tmp_path, environ={"DYNAGATE_CACHE_DIR": str(cache)}) as running:
        yield running


@pytest.fixture
async def client(gateway: Running) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's own client."""
    async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as running:
        yield running


async def spoken(client: AsyncOpenAI, form: Literal["wav", "mp3", "flac", "opus"]) -> bytes:
    """Return the sentence as sound."""
    answer = await client.audio.speech.create(
        model="tts-1", input=SENTENCE, voice="nova", response_format=form
    )
    return answer.content


def turn(data: bytes, form: str, *words: str) -> list[Any]:
    sound = {"data": base64.b64encode(data).decode(), "format": form}
    texts = [{"type": "text", "text": word} for word in words]
    return [{"role": "user", "content": [{"type": "input_audio", "input_audio": sound}, *texts]}]


def seconds(data: bytes, folder: Path) -> float:
    """Return how long a file sounds."""
    path = folder / "sound"
    path.write_bytes(data)
    return len(np.concatenate(list(decode(path)))) / HEARD_HZ


@pytest.mark.slow
@pytest.mark.parametrize("form", ["wav", "mp3", "flac", "ogg"])
async def test_speech_is_heard_in_every_format(client: AsyncOpenAI, form: str) -> None:
    made = cast(Literal["wav", "mp3", "flac", "opus"], "opus" if form == "ogg" else form)
    sound = await spoken(client, made)

    answer = await client.chat.completions.create(model="openai", messages=turn(sound, form))

    assert answer.choices[0].message.content == SENTENCE


@pytest.mark.slow
async def test_the_model_has_the_words_before_it(client: AsyncOpenAI) -> None:
    sound = await spoken(client, "mp3")

    async def asked(messages: list[Any]) -> tuple[str | None, int]:
        answer = await client.chat.completions.create(
            model="openai", messages=messages, temperature=0, max_tokens=16
        )
        assert answer.usage is not None
        return answer.choices[0].message.content, answer.usage.prompt_tokens

    heard = await asked(turn(sound, "mp3", "When does the train leave?"))
    parts = [f"Audio transcript: {SENTENCE}", "When does the train leave?"]
    texts = [{"type": "text", "text": part} for part in parts]
    read = await asked([{"role": "user", "content": texts}])

    assert heard == read


@pytest.mark.slow
@pytest.mark.parametrize("form", ["wav", "mp3", "flac", "opus", "aac"])
@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_is_spoken_can_be_played_and_says_what_is_written(
    client: AsyncOpenAI, tmp_path: Path, form: str, *, is_stream: bool
) -> None:
    asked: dict[str, Any] = {
        "model": "openai",
        "messages": [{"role": "user", "content": "Tell me about trains."}],
        "modalities": ["text", "audio"],
        "audio": {"voice": "nova", "format": form},
        "max_tokens": 24,
        "temperature": 0,
    }
    if is_stream:
        text, pieces = "", []
        async for chunk in await client.chat.completions.create(**asked, stream=True):
            delta = chunk.choices[0].delta
            text += delta.content or ""
            if delta.audio is not None:
                pieces.append(base64.b64decode(delta.audio.data or ""))
        data = b"".join(pieces)
    else:
        answer = await client.chat.completions.create(**asked)
        message = answer.choices[0].message
        text, data = message.content, base64.b64decode(message.audio.data)

    length_s = await asyncio.to_thread(seconds, data, tmp_path)
    assert len(text) / 40 < length_s < len(text) / 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"<html><body>404</body></html>", "wav"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90", "mp3"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "wav"),
        (bytes(1000), "flac"),
    ],
    ids=["a page", "a truncated mp3", "half a header", "zeros"],
)
async def test_what_is_no_sound_is_refused_by_its_place(
    client: AsyncOpenAI, data: bytes, form: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(model="openai", messages=turn(data, form))

    assert refused.value.param == DATA
