"""Section 3: `modalities` with audio, spoken for targets that only write."""

import asyncio
import base64
import io
import json
import wave
from itertools import groupby

import pytest

from gateway.testing.upstream import (
    FakeUpstream,
    body,
    hang_in_stream,
    reply,
    status,
    stream,
)
from tests.contract.asking import Asker, assert_broken_off, assert_refused, gate_of
from tests.contract.conftest import Begin
from tests.contract.sounding import (
    BOTH,
    PIPED,
    SOUND,
    SPEAKS,
    WRITES,
    heard,
    joined,
    speaking,
)


@pytest.fixture
async def caller(begin: Begin, upstream: FakeUpstream) -> Asker:
    """Somebody who calls a gateway that speaks for its targets."""
    upstream.default = speaking()
    models = {"voice": SPEAKS, "writer": {"targets": [WRITES]}}
    return await begin(models=models, chat={"speaks_with": "voice"})


@pytest.mark.parametrize("modalities", [BOTH, ["audio"]])
async def test_the_text_is_spoken_too(
    caller: Asker, upstream: FakeUpstream, modalities: list[str]
) -> None:
    audio = {"voice": "nova", "format": "mp3"}

    answer = await caller.chat(model="writer", modalities=modalities, audio=audio)

    message = answer.json()["choices"][0]["message"]
    assert message["content"] == "two words"
    assert base64.b64decode(message["audio"]["data"]) == SOUND
    assert message["audio"]["transcript"] == "two words"
    assert message["audio"]["id"].startswith("audio_")
    assert isinstance(message["audio"]["expires_at"], int)
    asked, spoken = (request.document for request in upstream.requests)
    assert asked.keys() == {"model", "messages"}
    assert spoken == {
        "model": "tts-x",
        "input": "two words",
        "voice": "nova",
        "response_format": "mp3",
        "speed": 1.0,
    }


async def test_a_whole_wav_says_how_long_it_is(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.default = speaking(PIPED)

    answer = await caller.chat(model="chaotic", modalities=BOTH)

    data = base64.b64decode(answer.json()["choices"][0]["message"]["audio"]["data"])
    with wave.open(io.BytesIO(data)) as file:
        assert file.getnframes() == len(SOUND) // 2
    assert upstream.requests[0].document["response_format"] == "wav"


@pytest.mark.parametrize("model", ["writer", "chaotic"])
async def test_a_stream_has_the_words_first_then_the_sound_then_the_end(
    caller: Asker, upstream: FakeUpstream, model: str
) -> None:
    upstream.slice_bytes = 3000

    answer = await caller.chat(
        "two words",
        model=model,
        modalities=BOTH,
        stream=True,
        stream_options={"include_usage": True},
    )

    choices = [choice for chunk in answer.chunks for choice in chunk["choices"]]
    kinds = [next(iter(one["delta"]), one["finish_reason"]) for one in choices]
    assert [kind for kind, _ in groupby(kinds)] == ["role", "content", "audio", "stop"]
    assert answer.words == "two words"
    pieces = heard(answer)
    assert joined(pieces) == SOUND
    assert len(pieces) > 3
    assert len({piece["id"] for piece in pieces}) == 1
    assert [piece for piece in pieces if "transcript" in piece] == [
        {"id": pieces[0]["id"], "transcript": "two words"}
    ]
    assert pieces[-1].keys() == {"id", "expires_at"}
    assert answer.chunks[-1]["usage"]
    assert answer.is_done
    assert upstream.requests[-1].document["response_format"] == "pcm"


@pytest.mark.parametrize("is_stream", [False, True])
async def test_every_choice_is_spoken(
    caller: Asker, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    answer = await caller.chat("hey", model="chaotic", modalities=BOTH, n=3, stream=is_stream)

    if is_stream:
        sounds = [joined(heard(answer, index)) for index in range(3)]
    else:
        audio = [choice["message"]["audio"] for choice in answer.json()["choices"]]
        sounds = [base64.b64decode(one["data"]) for one in audio]
        assert len({one["id"] for one in audio}) == 3
    assert sounds == [SOUND] * 3
    assert upstream.attempts == ["tts-x"] * 3


async def test_words_come_before_anything_is_spoken(caller: Asker, upstream: FakeUpstream) -> None:
    goes_on = asyncio.Event()
    upstream.will(stream("first", " second", hold=goes_on))
    document = {
        "model": "writer",
        "messages": [{"role": "user", "content": "hi"}],
        "modalities": BOTH,
        "stream": True,
    }

    url = f"{caller.gateway.url}/v1/chat/completions"
    async with caller.session.post(url, json=document) as answer:
        seen = b""
        while b"first" not in seen:
            seen += await answer.content.readany()
        assert upstream.attempts == ["writer"]
        goes_on.set()
        seen += await answer.read()

    assert seen.endswith(b"data: [DONE]\n\n")
    assert upstream.attempts == ["writer", "tts-x"]


async def test_nothing_is_not_spoken(caller: Asker, upstream: FakeUpstream) -> None:
    call = {"type": "function", "function": {"name": "f", "parameters": {}}}

    answer = await caller.chat(
        model="chaos/tool", modalities=BOTH, tools=[call], tool_choice="required"
    )

    assert answer.status == 200, answer.body
    assert "audio" not in answer.json()["choices"][0]["message"]
    assert upstream.requests == []


async def test_a_voice_that_nobody_has_is_refused_before_anything_is_generated(
    caller: Asker, upstream: FakeUpstream
) -> None:
    for voice in ("zoe", {"id": "voice_1"}):
        refused = await caller.chat(model="writer", modalities=BOTH, audio={"voice": voice})

        error = assert_refused(refused, 400, "invalid_parameter", "audio.voice")
        assert "nova, alloy" in error["message"]
    assert upstream.requests == []


async def test_a_turn_known_by_its_sound_alone_is_refused(caller: Asker) -> None:
    past = {"role": "assistant", "audio": {"id": "audio_1"}}
    now = {"role": "user", "content": "And?"}

    refused = await caller.chat(model="chaotic", modalities=BOTH, messages=[past, now])
    told = await caller.chat(
        model="chaotic", modalities=BOTH, messages=[{**past, "content": "Hi."}, now]
    )

    assert_refused(refused, 400, "invalid_parameter", "messages[0].audio")
    assert told.status == 200


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_voice_that_fails_is_an_error_of_the_call(
    caller: Asker, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    upstream.will(reply("words"), status(503, "busy"))

    answer = await caller.chat(model="writer", modalities=BOTH, stream=is_stream)

    if is_stream:
        assert answer.words == "words"
        assert_broken_off(answer, "upstream_failed")
    else:
        assert_refused(answer, 502, "upstream_failed")
    assert gate_of(caller.gateway).in_flight == 0


async def test_what_the_voice_refuses_is_said_of_audio(
    caller: Asker, upstream: FakeUpstream
) -> None:
    error = {"error": {"message": "nothing to read aloud", "param": "input"}}
    upstream.will(reply("words"), body(json.dumps(error).encode(), code=400))

    answer = await caller.chat(model="writer", modalities=BOTH)

    assert_refused(answer, 400, "upstream_rejected", "audio")


async def test_another_target_speaks_when_the_first_fails(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    upstream.will(status(503, "busy"))
    second.default = speaking()
    targets = [{"provider": one, "model": "tts-x"} for one in ("up", "second")]
    models = {"voice": {"targets": targets}}
    caller = await begin(second, models=models, chat={"speaks_with": "voice"})

    answer = await caller.chat("hi", model="chaotic", modalities=BOTH, stream=True)

    assert joined(heard(answer)) == SOUND


@pytest.mark.parametrize("is_stream", [False, True])
async def test_one_place_is_enough_to_write_and_then_to_speak(
    begin: Begin, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    upstream.default = speaking()
    models = {"voice": SPEAKS, "writer": {"targets": [WRITES]}}
    caller = await begin(models=models, chat={"speaks_with": "voice"}, up={"concurrent": 1})

    answers = await asyncio.gather(
        *(caller.chat(model="writer", modalities=BOTH, stream=is_stream, n=1) for _ in range(4))
    )

    assert [answer.status for answer in answers] == [200] * 4
    assert not any(b'"error"' in answer.body for answer in answers)
    assert gate_of(caller.gateway).in_flight == 0


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_voice_that_falls_silent_misses_a_deadline(
    begin: Begin, upstream: FakeUpstream, *, is_stream: bool
) -> None:
    upstream.will(reply("words"), hang_in_stream(1))
    models = {"voice": SPEAKS, "writer": {"targets": [WRITES]}}
    caller = await begin(
        models=models, chat={"speaks_with": "voice"}, deadlines={"between_tokens_s": 0.2}
    )

    answer = await caller.chat(model="writer", modalities=BOTH, stream=is_stream)

    if is_stream:
        assert_broken_off(answer, "deadline_exceeded")
    else:
        assert_refused(answer, 504, "deadline_exceeded")
    assert gate_of(caller.gateway).in_flight == 0
    await upstream.wait_abandoned()


async def test_whoever_hangs_up_ends_the_speech(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(reply("words"), hang_in_stream(1))
    document = {
        "model": "writer",
        "messages": [{"role": "user", "content": "hi"}],
        "modalities": BOTH,
        "stream": True,
    }

    url = f"{caller.gateway.url}/v1/chat/completions"
    async with caller.session.post(url, json=document) as answer:
        seen = b""
        while b'"transcript"' not in seen:
            seen += await answer.content.readany()
        answer.close()
    await upstream.wait_abandoned()

    assert upstream.abandoned[0].path == "/audio/speech"
    assert gate_of(caller.gateway).in_flight == 0
