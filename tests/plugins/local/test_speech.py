"""The engine `speech`: what is said, how, and what is refused."""

import io
import itertools
from contextlib import aclosing
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from gateway.schema.failure import Failure
from gateway.sdk import UpstreamError
from gateway.sdk.clock import SystemClock
from gateway.sdk.workshop import EngineRefusal
from gateway.testing.deps import make_deps
from gateway_local.engines import speech
from gateway_local.engines.speech import Speech
from gateway_local.pieces import PIECE_LENGTH, cut, readable
from gateway_local.sound import SPOKEN_HZ, Samples
from gateway_local.voices import VOICES
from tests.plugins.local.workshops import make_workshop

SENTENCE = "The gateway reads this sentence aloud, and nobody else hears it."


@pytest.fixture(scope="module")
def engine() -> Speech:
    return speech.load({"threads": 1})


def order(text: str = SENTENCE, **changes: Any) -> dict[str, Any]:
    wanted = {"text": text, "voice": "alloy", "speed": 1.0, "format": "pcm", "is_hd": False}
    return wanted | changes


def pieces_of(engine: Speech, text: str = SENTENCE, **changes: Any) -> list[bytes]:
    steps = engine.speak(order(text, **changes), [])
    return [step[1] for step in steps if step is not None]


def spoken(engine: Speech, text: str = SENTENCE, **changes: Any) -> Samples:
    data = b"".join(pieces_of(engine, text, **changes))
    return (np.frombuffer(data, "<i2") / 32767).astype(np.float32)


def pitch_hz(samples: Samples) -> float:
    """Return the median pitch of the voiced frames, by autocorrelation."""
    found = []
    for start in range(0, len(samples) - 2400, 600):
        frame = samples[start : start + 2400]
        if np.abs(frame).max() < 0.05:
            continue
        likeness = np.correlate(frame, frame, "full")[2399:]
        lag = int(likeness[60:400].argmax()) + 60
        if likeness[lag] > 0.5 * likeness[0]:
            found.append(SPOKEN_HZ / lag)
    return float(np.median(found))


def test_every_voice_has_a_pitch_of_its_own(engine: Speech) -> None:
    pitches = sorted(pitch_hz(spoken(engine, voice=voice)) for voice in VOICES)

    assert 80 < pitches[0] < 110
    assert 210 < pitches[-1] < 270
    assert all(higher / lower > 1.08 for lower, higher in itertools.pairwise(pitches))


@pytest.mark.parametrize("voice", VOICES)
def test_no_voice_is_faint_or_clips(engine: Speech, voice: str) -> None:
    samples = spoken(engine, voice=voice)

    loud = samples[np.abs(samples) > 0.02]
    assert 0.06 < float(np.sqrt(np.square(loud).mean())) < 0.2
    assert float(np.abs(samples).max()) < 0.99


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0, 4.0])
def test_speed_changes_the_length_and_not_the_pitch(engine: Speech, speed: float) -> None:
    usual, changed = spoken(engine), spoken(engine, speed=speed)

    assert len(usual) / len(changed) == pytest.approx(speed, rel=0.15)
    assert pitch_hz(changed) == pytest.approx(pitch_hz(usual), rel=0.1)


def test_the_same_text_sounds_the_same(engine: Speech) -> None:
    assert pieces_of(engine) == pieces_of(engine)


def test_the_first_bytes_come_before_the_text_is_read_to_its_end(
    engine: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    pronounced = engine._model.g2p  # noqa: SLF001 - where the reading can be seen.

    def noted(text: str) -> str:
        read.append(text)
        return str(pronounced(text))

    monkeypatch.setattr(engine._model, "_g2p", noted)  # noqa: SLF001
    steps = engine.speak(order(f"{SENTENCE} " * 500, format="mp3"), [])

    first = next(step for step in steps if step is not None)

    assert first[1]
    assert len(read) <= 2


def test_every_format_is_a_file_of_its_kind(engine: Speech) -> None:
    for form, codec in (("mp3", "mp3float"), ("aac", "aac"), ("flac", "flac"), ("opus", "opus")):
        data = b"".join(pieces_of(engine, format=form))

        with av.open(io.BytesIO(data)) as container:
            assert container.streams.audio[0].codec_context.name == codec


def test_other_scripts_and_emoji_are_skipped(engine: Speech) -> None:
    plain = spoken(engine, "Hello there, my friend.")

    mixed = spoken(engine, "Hello 你好 there, 😀 my приятель friend\u200b.")

    assert len(mixed) == pytest.approx(len(plain), rel=0.15)


@pytest.mark.parametrize("text", ["", "   ", "😀😀", "你好世界", "...", "— “” !?", "\x00\n\n"])
def test_text_with_nothing_to_say_is_refused(engine: Speech, text: str) -> None:
    with pytest.raises(EngineRefusal) as caught:
        pieces_of(engine, text)

    assert (caught.value.failure, caught.value.param) == ("caller_fault", "input")


def test_an_unknown_voice_is_refused_with_the_list(engine: Speech) -> None:
    with pytest.raises(EngineRefusal, match="alloy, echo, fable, onyx, nova, shimmer") as caught:
        pieces_of(engine, voice="heart")

    assert (caught.value.failure, caught.value.param) == ("caller_fault", "voice")


def test_too_long_a_text_is_refused(engine: Speech) -> None:
    with pytest.raises(EngineRefusal) as caught:
        pieces_of(engine, "a " * 50_001)

    assert (caught.value.failure, caught.value.param) == ("caller_fault", "input")


@pytest.mark.parametrize(
    "text",
    [
        "1" * 300,
        "a" * 900,
        "[say](/this/) and `code` *and* **stars**",
        "A" * 400 + ". " + "é" * 400,
        "$1e999 25°C ½ x² 10:61:99 99/99/9999 -5..--",
        "'" * 500 + " quoted",
    ],
)
def test_odd_text_is_said_somehow(engine: Speech, text: str) -> None:
    assert len(spoken(engine, text)) > SPOKEN_HZ // 2


def test_one_word_that_the_library_breaks_on_does_not_silence_the_others(
    engine: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = engine._model  # noqa: SLF001 - the library's bugs are not ours to provoke by text.
    pronounced = model.g2p

    def breaking(text: str) -> str:
        if "zebra" in text:
            raise IndexError
        return str(pronounced(text))

    whole = spoken(engine, "one two three four")
    monkeypatch.setattr(model, "_g2p", breaking)

    assert len(spoken(engine, "one two zebra three four")) == pytest.approx(len(whole), rel=0.3)


def test_long_sentences_are_cut_at_clauses_then_words_then_anywhere() -> None:
    clauses = ", ".join(["some words of a clause"] * 40)
    words = "word " * 200
    neither = "x" * 1000

    cuts = {text: list(cut(text)) for text in (clauses, words.strip(), neither)}

    for text, found in cuts.items():
        assert all(0 < len(piece.text) <= PIECE_LENGTH for piece in found)
        assert "".join(piece.text for piece in found).replace(" ", "") == text.replace(" ", "")
    assert all(piece.text.endswith(("clause,", "clause")) for piece in cuts[clauses])
    assert all(piece.text.endswith("word") for piece in cuts[words.strip()])
    assert [piece.pause_s is None for piece in cuts[clauses]][-2:] == [False, True]


def test_lines_wrapped_within_a_sentence_are_made_whole_and_paragraphs_are_not() -> None:
    assert readable("A line that is\nwrapped here.\nAnother one") == (
        "A line that is wrapped here.\nAnother one"
    )


async def test_a_call_through_the_workshop_streams_and_can_be_left(tmp_path: Path) -> None:
    async with make_deps("local", tmp_path, clock=SystemClock()) as deps:
        workshop = make_workshop(deps, {})
        stop = deps.background.start("workshop", workshop.run())
        try:
            async with aclosing(
                workshop.call("speech", "speak", order(f"{SENTENCE} " * 1000, format="mp3"))
            ) as items:
                _, first = await anext(items)
                pid = workshop.pid("speech")
            with pytest.raises(UpstreamError) as caught:
                async with aclosing(workshop.call("speech", "speak", order("..."))) as items:
                    await anext(items)
            after = workshop.pid("speech")
        finally:
            stop()
            await workshop.stopped()

    assert first.startswith((b"ID3", b"\xff"))
    assert (caught.value.failure, caught.value.param) == (Failure.CALLER_FAULT, "input")
    assert pid == after is not None
