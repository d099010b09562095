"""Section 3: sound in a conversation, written down for targets that only read."""

import asyncio
import base64
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.testing.actions import Action, Hang, Send
from gateway.testing.upstream import (
    FakeUpstream,
    UpstreamRequest,
    hang_before_head,
    reply,
    status,
)
from tests.contract.asking import Asker, assert_refused, gate_of
from tests.contract.conftest import Begin
from tests.contract.sounding import HEARS, NOT_QUITE, READS, sound, transcript, turn

DATA = "messages[0].content[0].input_audio.data"


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files, of this test alone."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
async def caller(begin: Begin, upstream: FakeUpstream) -> Asker:
    """Somebody who calls a gateway that hears for its targets."""
    upstream.default = transcript("where is the station")
    models = {"whisper": HEARS, "reader": {"targets": [READS]}}
    return await begin(models=models, chat={"hears_with": "whisper"})


@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_text_only_target_gets_the_transcript_in_its_place(
    caller: Asker, upstream: FakeUpstream, scratch: Path, *, is_stream: bool
) -> None:
    messages = turn("Answer:", sound(), "Be short.")

    answer = await caller.chat(model="chaotic", messages=messages, stream=is_stream)

    said = answer.words if is_stream else answer.json()["choices"][0]["message"]["content"]
    assert said == "Answer:\nAudio transcript: where is the station\nBe short."
    assert answer.headers["X-Provider"] == "chaos"
    assert [request.path for request in upstream.requests] == ["/audio/transcriptions"]
    sent = upstream.requests[0].body
    assert base64.b64decode(NOT_QUITE) in sent
    assert b"whisper-x" in sent
    assert b'filename="audio.wav"' in sent
    assert files_in(scratch) == []


async def test_a_target_that_takes_callers_documents_gets_a_new_one(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.will(transcript("one"), transcript("two"), reply("both"))
    messages = [*turn(sound(), "first?"), {"role": "assistant", "content": "hm"}]

    answer = await caller.chat(model="reader", messages=[*messages, *turn("second?", sound())])

    assert answer.json()["choices"][0]["message"]["content"] == "both"
    asked = upstream.requests[-1].document
    assert asked["model"] == "reader"
    assert [message["content"] for message in asked["messages"]] == [
        [
            {"type": "text", "text": "Audio transcript: one"},
            {"type": "text", "text": "first?"},
        ],
        "hm",
        [
            {"type": "text", "text": "second?"},
            {"type": "text", "text": "Audio transcript: two"},
        ],
    ]
    assert '"path":"events"' in caller.gateway.lines().replace(" ", "")


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("words", [(), (" ",), ("Please transcribe this.",)])
async def test_a_turn_without_text_is_answered_with_the_transcript_and_so_is_one_that_asks_for_it(
    caller: Asker, upstream: FakeUpstream, words: Sequence[str], *, is_stream: bool
) -> None:
    upstream.will(transcript("where is"), transcript("the station"))

    answer = await caller.chat(
        model="reader", messages=turn(sound(), *words, sound(form="mp3")), n=2, stream=is_stream
    )

    assert upstream.attempts == ["", ""]
    if is_stream:
        said = {0: "", 1: ""}
        for chunk in answer.chunks:
            for choice in chunk["choices"]:
                said[choice["index"]] += choice["delta"].get("content") or ""
        assert answer.is_done
    else:
        choices = answer.json()["choices"]
        said = {choice["index"]: choice["message"]["content"] for choice in choices}
        assert answer.json()["usage"]["total_tokens"] == 0
    assert said == {0: "where is\nthe station", 1: "where is\nthe station"}
    assert answer.headers["X-Provider"] == "up"
    assert '"path":"transcript"' in caller.gateway.lines().replace(" ", "")


@pytest.mark.parametrize(
    "more",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}},
        {
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": "required",
        },
    ],
)
async def test_where_no_transcript_can_be_the_answer_the_model_gives_it(
    caller: Asker, upstream: FakeUpstream, more: dict[str, Any]
) -> None:
    upstream.will(transcript("where"), reply("{}"))

    answer = await caller.chat(model="reader", messages=turn(sound()), **more)

    assert answer.status == 200, answer.body
    assert upstream.attempts == ["", "reader"]


async def test_silence_is_told_to_the_model_and_is_an_empty_transcript(
    caller: Asker, upstream: FakeUpstream
) -> None:
    upstream.default = transcript("")

    asked = await caller.chat(model="chaotic", messages=turn("So?", sound()))
    alone = await caller.chat(model="chaotic", messages=turn(sound()))

    assert asked.json()["choices"][0]["message"]["content"].endswith("(nothing is said)")
    assert alone.json()["choices"][0]["message"]["content"] == ""


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (sound("UklGRg="), DATA),
        (sound("not base64!"), DATA),
        (sound("UklG\nRg=="), DATA),
        (sound("ünï"), DATA),
        (sound(""), DATA),
        (sound(form="midi"), DATA.replace("data", "format")),
        (sound(form=""), DATA.replace("data", "format")),
        (sound(form="WAV"), DATA.replace("data", "format")),
        (sound(5), DATA),
        (sound(form=None), DATA.replace("data", "format")),
    ],
)
async def test_what_is_no_sound_is_refused_before_anything_is_called(
    caller: Asker, upstream: FakeUpstream, part: dict[str, Any], param: str
) -> None:
    refused = await caller.chat(model="chaotic", messages=turn(part, sound(), "Well?"))

    assert_refused(refused, 400, "invalid_parameter", param)
    assert upstream.requests == []


async def test_a_file_that_cannot_be_heard_is_the_parts_fault(
    caller: Asker, upstream: FakeUpstream, scratch: Path
) -> None:
    upstream.will(transcript("fine"), status(400, "Invalid file format."))
    html = base64.b64encode(b"<html>").decode()

    refused = await caller.chat(model="chaotic", messages=turn(sound(), "Well?", sound(html)))

    error = assert_refused(refused, 400, "upstream_rejected")
    assert error["param"] == "messages[0].content[2].input_audio.data"
    assert "Invalid file format" in error["message"]
    assert files_in(scratch) == []


async def test_a_part_is_told_as_the_caller_counts_turns(
    begin: Begin, upstream: FakeUpstream
) -> None:
    reader = {"targets": [READS], "transforms": {"system_prefix": "Be kind."}}
    caller = await begin(
        models={"whisper": HEARS, "reader": reader}, chat={"hears_with": "whisper"}
    )

    refused = await caller.chat(model="reader", messages=turn(sound("-"), "Well?"))

    assert_refused(refused, 400, "invalid_parameter", DATA)


async def test_too_many_parts_are_refused(caller: Asker, upstream: FakeUpstream) -> None:
    refused = await caller.chat(model="chaotic", messages=turn(*[sound()] * 65, "Well?"))

    assert_refused(refused, 400, "invalid_parameter", "messages")
    assert upstream.requests == []


async def test_a_failure_of_hearing_is_the_calls(caller: Asker, upstream: FakeUpstream) -> None:
    upstream.will(status(503, "busy"))

    refused = await caller.chat(model="chaotic", messages=turn(sound(), "Well?"))

    assert_refused(refused, 502, "upstream_failed")
    assert gate_of(caller.gateway).in_flight == 0


async def test_another_target_hears_when_the_first_fails(
    begin: Begin, upstream: FakeUpstream, second: FakeUpstream
) -> None:
    upstream.will(status(503, "busy"))
    second.default = transcript("heard at last")
    hears = [{"provider": one, "model": "whisper-x"} for one in ("up", "second")]
    caller = await begin(second, models={"w": {"targets": hears}}, chat={"hears_with": "w"})

    answer = await caller.chat(model="chaotic", messages=turn(sound()))

    assert answer.json()["choices"][0]["message"]["content"] == "heard at last"
    assert answer.headers["X-Provider"] == "second"


async def test_sound_is_written_down_once_however_many_targets_are_tried(
    begin: Begin, upstream: FakeUpstream
) -> None:
    upstream.will(transcript("once"), status(503, "busy"))
    targets = [READS, {"provider": "chaos", "model": "echo"}]
    models = {"w": HEARS, "two": {"targets": targets}}
    caller = await begin(models=models, chat={"hears_with": "w"})

    answer = await caller.chat(model="two", messages=turn(sound(), "Well?"))

    said = answer.json()["choices"][0]["message"]["content"]
    assert said == "Audio transcript: once\nWell?"
    assert upstream.attempts == ["", "reader"]


async def test_one_place_is_enough_to_hear_and_then_to_answer(
    begin: Begin, upstream: FakeUpstream
) -> None:
    upstream.will(transcript("one"), reply("fine"))
    models = {"w": HEARS, "reader": {"targets": [READS]}}
    caller = await begin(models=models, chat={"hears_with": "w"}, up={"concurrent": 1})

    answer = await caller.chat(model="reader", messages=turn(sound(), "Well?"))

    assert answer.status == 200
    assert gate_of(caller.gateway).in_flight == 0


async def test_hearing_that_takes_too_long_is_a_missed_deadline(
    begin: Begin, upstream: FakeUpstream, scratch: Path
) -> None:
    upstream.will(hang_before_head())
    caller = await begin(models={"w": HEARS}, chat={"hears_with": "w"}, deadlines={"total_s": 0.3})

    refused = await caller.chat(model="chaotic", messages=turn(sound(), "Well?"))

    assert_refused(refused, 504, "deadline_exceeded")
    assert gate_of(caller.gateway).in_flight == 0
    assert files_in(scratch) == []


async def test_whoever_hangs_up_while_it_is_heard_frees_everything(
    caller: Asker, upstream: FakeUpstream, scratch: Path
) -> None:
    def half(_request: UpstreamRequest) -> Sequence[Action]:
        return [Send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), Hang()]

    upstream.will(half)
    document = {"model": "chaotic", "messages": turn(sound(), "Well?"), "stream": True}
    url = f"{caller.gateway.url}/v1/chat/completions"

    asking = asyncio.ensure_future(caller.session.post(url, json=document).__aenter__())
    await upstream.wait_requests()
    assert len(files_in(scratch)) == 1
    asking.cancel()
    await upstream.wait_abandoned()

    assert gate_of(caller.gateway).in_flight == 0
    assert files_in(scratch) == []
