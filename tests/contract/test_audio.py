"""Sections 2 and 3: `model=openai-audio` on the text paths."""

import asyncio
from urllib.parse import quote

import pytest
from dynaspark.dynaspark import DynaSpark

from gateway.testing.upstream import FakeUpstream, body, status
from tests.contract.asking import Asker, Reply, assert_refused
from tests.contract.conftest import Begin

SOUND = bytes(range(256)) * 40
SPEAKS = {"targets": [{"provider": "up", "model": "tts-x", "card": {"voices": ["zoe"]}}]}


@pytest.fixture
async def caller(begin: Begin, upstream: FakeUpstream) -> Asker:
    """Somebody who calls a gateway whose `openai-audio` speaks."""
    upstream.default = body(SOUND, content_type="audio/mpeg")
    return await begin(models={"openai-audio": SPEAKS})


async def say(caller: Asker, **given: str) -> Reply:
    named = {"user_input": "Hello world", "model": "openai-audio", **given}
    query = "&".join(f"{name}={quote(value)}" for name, value in named.items())
    return await caller.get(f"/api/generate_response?{query}")


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        ("mp3", "audio/mpeg"),
        ("aac", "audio/aac"),
        ("flac", "audio/flac"),
        ("opus", "audio/ogg"),
        ("wav", "audio/wav"),
        ("pcm", "audio/pcm"),
    ],
)
async def test_the_answer_is_the_sound_in_the_format_asked_for(
    caller: Asker, upstream: FakeUpstream, form: str, media_type: str
) -> None:
    answer = await say(caller, format=form, voice="nova", speed="1.5", temperature="1")

    assert (answer.status, answer.body) == (200, SOUND)
    assert answer.headers["Content-Type"] == media_type
    assert answer.headers["X-RateLimit-Remaining"] == "99"
    assert answer.headers["X-Ignored-Params"] == "temperature"
    asked = upstream.requests[0].document
    assert asked == {
        "model": "tts-x",
        "input": "Hello world",
        "voice": "nova",
        "response_format": form,
        "speed": 1.5,
    }


async def test_alloy_reads_at_its_own_pace_unless_told_otherwise(
    caller: Asker, upstream: FakeUpstream
) -> None:
    answer = await caller.get("/api/text/Read%20this/please?model=openai-audio")

    assert answer.status == 200
    asked = upstream.requests[0].document
    assert (asked["input"], asked["voice"]) == ("Read this/please", "alloy")
    assert (asked["response_format"], asked["speed"]) == ("mp3", 1.0)


async def test_a_post_speaks_too_and_a_cards_own_voice_is_one(
    caller: Asker, upstream: FakeUpstream
) -> None:
    given = {"user_input": "Hi", "model": "openai-audio", "voice": "zoe"}

    answer = await caller.post("/api/generate_response", given)

    assert answer.status == 200
    assert upstream.requests[0].document["voice"] == "zoe"


@pytest.mark.parametrize(
    ("name", "value"),
    [("speed", "0.1"), ("speed", "4.1"), ("voice", "bob"), ("format", "ogg"), ("quality", "best")],
)
async def test_what_cannot_be_said_so_is_refused_by_name(
    caller: Asker, upstream: FakeUpstream, name: str, value: str
) -> None:
    answer = await say(caller, **{name: value})

    assert_refused(answer, 400, "invalid_parameter")
    assert answer.json()["error"]["param"] == name
    assert upstream.requests == []


async def test_nothing_to_say_is_a_missing_parameter(caller: Asker) -> None:
    assert_refused(await say(caller, user_input="  "), 400, "missing_parameter")


async def test_a_refusal_of_the_host_is_a_proper_error(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(status(503, "busy"))

    assert_refused(await say(caller), 502, "upstream_failed")


async def test_the_published_client_gets_its_bytes(
    caller: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(DynaSpark, "BASE_URL", f"{caller.gateway.url}/api/")
    client = DynaSpark()

    sound = await asyncio.to_thread(client.generate_audio_response, "Hello", "nova")

    assert sound == SOUND
