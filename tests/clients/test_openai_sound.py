"""OpenAI's client sends and gets sound in conversations; a scripted host hears and speaks."""

import base64
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from gateway.testing.actions import Action
from gateway.testing.upstream import FakeUpstream, UpstreamRequest, body
from tests.running import Running, run_gateway

CONFIG = """
logs: {{format: json}}
providers:
  up: {{kind: openai, settings: {{base_url: "{url}/v1", api_key: sk-canary-upstream}}}}
  chaos: {{kind: chaos}}
models:
  openai: {{targets: [{{provider: chaos, model: echo}}]}}
  tts-1: {{targets: [{{provider: up, model: tts-x}}]}}
  whisper-1: {{targets: [{{provider: up, model: whisper-x}}]}}
chat: {{hears_with: whisper-1, speaks_with: tts-1}}
"""
SOUND = bytes(range(256)) * 300
HEARD: list[ChatCompletionMessageParam] = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Say it again:"},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        ],
    }
]


@pytest.fixture
async def gateway(upstream: FakeUpstream, tmp_path: Path) -> AsyncIterator[Running]:
    """`openai` reads and writes; what hears and speaks is the scripted upstream."""

    def answer(request: UpstreamRequest) -> Sequence[Action]:
        is_speech = request.path.endswith("/speech")
        return body(SOUND if is_speech else b'{"text": "good morning"}')(request)

    upstream.default = answer
    async with run_gateway(CONFIG.format(url=upstream.url), tmp_path) as running:
        yield running


async def test_sound_goes_in_and_sound_comes_out(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model="openai",
        messages=HEARD,
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "wav"},
    )

    message = answer.choices[0].message
    assert message.content == "Say it again:\nAudio transcript: good morning"
    assert message.audio is not None
    assert base64.b64decode(message.audio.data) == SOUND
    assert message.audio.transcript == message.content
    assert message.audio.id
    assert message.audio.expires_at


async def test_a_stream_of_both_is_put_together_by_the_client(client: AsyncOpenAI) -> None:
    text, transcript, data = "", "", b""
    ids, last = set(), None

    async with await client.chat.completions.create(
        model="openai",
        messages=HEARD,
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": "pcm16"},
        stream=True,
    ) as stream:
        async for chunk in stream:
            delta = chunk.choices[0].delta
            text += delta.content or ""
            if delta.audio is not None:
                last = delta.audio
                ids.add(last.id)
                transcript += last.transcript or ""
                data += base64.b64decode(last.data or "")

    assert text == transcript == "Say it again:\nAudio transcript: good morning"
    assert data == SOUND
    assert len(ids) == 1
    assert last is not None
    assert last.expires_at


async def test_sound_alone_is_answered_with_what_is_said(
    client: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    answer = await client.chat.completions.create(
        model="openai",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}}
                ],
            }
        ],
    )

    assert answer.choices[0].message.content == "good morning"
    assert answer.choices[0].finish_reason == "stop"
    assert len(upstream.requests) == 1


async def test_a_wrong_format_is_the_clients_bad_request(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(
            model="openai",
            messages=[{"role": "user", "content": "hi"}],
            modalities=["text", "audio"],
            extra_body={"audio": {"voice": "alloy", "format": "ogg"}},
        )

    assert refused.value.param == "audio.format"
