"""Answers that are spoken: what is asked, what is refused, and how sound is said to callers."""

import base64
import json
from typing import Any

import pytest

from gateway.dialects.openai_chat import parse_chat, to_chat
from gateway.dialects.openai_render import ChatStream, render_chat
from gateway.schema.ask import Feature
from gateway.schema.chat import AudioOutput, ChatRequest
from gateway.schema.events import AudioDelta, Finish, StreamEvent, TextDelta, collect
from gateway.schema.failure import CallError
from gateway.schema.json import Wire
from gateway.schema.sse import data_of, frames_of
from gateway.sdk.openai_wire import document_of, events_of_reply

HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def meant(**fields: Any) -> ChatRequest:
    request = parse_chat({**HELLO, **fields}).meaning()
    assert isinstance(request, ChatRequest)
    return request


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, AudioOutput("alloy", "wav")),
        ({"audio": None, "stream": True}, AudioOutput("alloy", "pcm")),
        ({"audio": {"voice": "nova", "format": "pcm16"}}, AudioOutput("nova", "pcm")),
        ({"audio": {"format": "mp3"}, "stream": True}, AudioOutput("alloy", "mp3")),
        ({"modalities": ["audio"]}, AudioOutput("alloy", "wav", is_alone=True)),
    ],
)
def test_a_spoken_answer_has_a_voice_and_a_format(
    fields: dict[str, Any], output: AudioOutput
) -> None:
    given = {"modalities": ["text", "audio"], **fields}

    assert parse_chat({**HELLO, **given}).needs == {Feature.TEXT, Feature.AUDIO_OUTPUT}
    assert meant(**given).audio == output


def test_without_audio_among_the_modalities_nothing_is_spoken() -> None:
    request = meant(modalities=["text"], audio={"voice": 5})

    assert request.audio is None
    assert request.extra[Wire.OPENAI_CHAT] == {"modalities": ["text"], "audio": {"voice": 5}}


@pytest.mark.parametrize(
    ("audio", "param"),
    [
        ("nova", "audio"),
        ({"voice": 5}, "audio.voice"),
        ({"voice": " "}, "audio.voice"),
        ({"voice": {}}, "audio.voice.id"),
        ({"voice": {"id": 7}}, "audio.voice.id"),
        ({"format": "ogg"}, "audio.format"),
        ({"format": ["wav"]}, "audio.format"),
    ],
)
def test_what_cannot_be_spoken_so_is_refused_by_its_place(audio: object, param: str) -> None:
    with pytest.raises(CallError) as refused:
        parse_chat({**HELLO, "modalities": ["text", "audio"], "audio": audio})

    assert (refused.value.code, refused.value.param) == ("invalid_parameter", param)


@pytest.mark.parametrize(
    "asked",
    [
        {"modalities": ["text", "audio"], "audio": {"voice": "nova", "format": "pcm16"}},
        {"modalities": ["audio"], "audio": {"voice": {"id": "voice_1"}, "format": "aac"}},
        {"modalities": ["text", "audio"], "audio": {"voice": "a", "format": "wav", "new": [1]}},
    ],
)
def test_an_upstream_that_speaks_is_asked_in_the_same_words(asked: dict[str, Any]) -> None:
    document = document_of(to_chat({**HELLO, **asked}), is_stream=False)

    assert document == {**HELLO, **asked}


def test_a_whole_answer_has_the_sound_beside_its_words() -> None:
    told: list[StreamEvent] = [
        TextDelta(1, "Hi."),
        AudioDelta(1, b"\x01\x02", "Hi."),
        Finish(1, ""),
    ]

    rendered = json.loads(render_chat(collect(told), request_id="r", model="m", created=77))

    message = rendered["choices"][0]["message"]
    assert message["content"] == "Hi."
    assert message["audio"] == {
        "id": "audio_r_1",
        "expires_at": 77,
        "data": base64.b64encode(b"\x01\x02").decode(),
        "transcript": "Hi.",
    }


def test_a_stream_of_sound_has_its_id_in_each_piece_and_its_end_in_the_last() -> None:
    told = [AudioDelta(0, b"", "Hi."), AudioDelta(0, b"\x01"), AudioDelta(0, b"\x02")]

    chunks = rendered([*told, Finish(0, "stop")])

    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[1:] == [
        {"audio": {"id": "audio_r_0", "transcript": "Hi."}},
        {"audio": {"id": "audio_r_0", "data": "AQ=="}},
        {"audio": {"id": "audio_r_0", "data": "Ag=="}},
        {"audio": {"id": "audio_r_0", "expires_at": 77}},
        {},
    ]


def test_an_upstreams_own_id_and_time_are_passed_on() -> None:
    sound = {"id": "audio_up", "expires_at": 5, "data": "AQ==", "transcript": "Hi."}
    reply = {"choices": [{"index": 0, "message": {"audio": sound}, "finish_reason": "stop"}]}

    events = events_of_reply(reply)
    whole = json.loads(render_chat(collect(events), request_id="r", model="m", created=77))
    chunks = rendered(events)

    assert whole["choices"][0]["message"]["audio"] == sound
    assert [c["choices"][0]["delta"].get("audio") for c in chunks] == [None, sound, None]


def rendered(events: list[StreamEvent]) -> list[dict[str, Any]]:
    stream = ChatStream(request_id="r", model="m", created=77, is_usage_wanted=False)
    frames = b"".join(stream.render(event) for event in events)
    return [json.loads(data_of(frame)) for frame in frames_of(frames)]
