"""The engine `speech`: English text read aloud in one of six voices (hibari-tts)."""

from collections.abc import Iterator

import numpy as np
from hibari import Hibari, dsp  # type: ignore[import-untyped]
from numpy.typing import NDArray

from gateway.schema.json import JsonObject
from gateway.sdk.workshop import EngineRefusal
from gateway_local.pieces import Piece, cut, readable
from gateway_local.sound import SPOKEN_HZ, Encoder, Samples
from gateway_local.voices import VOICES, Voice

_TEXT_BYTES = 100_000
_PHONEMES = 400  # What the model was made for at once.
_GAIN = 1.5  # The library's own level is -23 dBFS while speaking; this makes -20, peaks below 1.
_SOFT = 0.9
_QUIET = 0.01
# The model keeps to a pace from 0.25 to 1.5 times its own and follows no further: asked for 2, it
# spoke 1.77 times as fast and slurred (2026-11). It was trained on 0.5 to 2. FFmpeg does the rest.
_SLOWEST, _FASTEST = 0.5, 1.5
_FIRST_VOICED_HZ = 40.0
_BIN_HZ = dsp.SR / dsp.N_FFT
_BINS = np.arange(dsp.N_FFT // 2 + 1)


def load(orders: JsonObject) -> "Speech":
    """Load the model and the dictionary; `orders` may hold `threads`."""
    return Speech(Hibari(threads=orders.get("threads", 1)))


class Speech:
    """One model, from which the voices are derived (see `voices.py`)."""

    def __init__(self, model: Hibari) -> None:
        self._model = model
        model("Ready.")  # The dictionary is loaded by the first word, not by the first caller.

    def speak(
        self, arguments: JsonObject, blobs: list[bytes]
    ) -> Iterator[tuple[JsonObject, bytes] | None]:
        """Yield the encoded sound as it is made.

        `text` up to 100 kB, `voice`, `speed` from 0.25 to 4, `format`, `is_hd`. What the voices
        cannot say (other scripts, emoji) is skipped; when nothing is left, that is refused.
        """
        text, name = arguments["text"], arguments["voice"]
        voice = VOICES.get(name)
        if voice is None:
            known = ", ".join(VOICES)
            raise EngineRefusal("caller_fault", f"no voice {name!r}; there are {known}", "voice")
        if len(text.encode()) > _TEXT_BYTES:
            said = f"the text is longer than {_TEXT_BYTES} bytes"
            raise EngineRefusal("caller_fault", said, "input")
        pace = arguments["speed"] * voice.pace
        own_pace = min(max(pace, _SLOWEST), _FASTEST)
        encoder = Encoder(
            arguments["format"], is_hd=arguments["is_hd"], tempo=round(pace / own_pace, 4)
        )
        is_heard = False
        for sentence in self._model.split_sentences(readable(text)):
            for piece in cut(sentence):
                samples = self._said(piece, voice, own_pace)
                is_heard = is_heard or len(samples) > 0
                data = encoder.feed(samples)
                yield ({}, data) if data else None
        if not is_heard:
            said = "there is nothing in it to read aloud: the voices speak English alone"
            raise EngineRefusal("caller_fault", said, "input")
        yield {}, encoder.finish()

    def _said(self, piece: Piece, voice: Voice, pace: float) -> Samples:
        """Return one piece at `SPOKEN_HZ`, empty when there is nothing to say in it."""
        phonemes = self._phonemes(piece.text)
        spoken = [self._synthesised(part, voice, pace) for part in _parts(phonemes)]
        if not spoken:
            return np.zeros(0, np.float32)
        samples = np.concatenate(spoken) * np.float32(_GAIN)
        over = np.abs(samples) > _SOFT
        room = 1.0 - _SOFT
        samples[over] = np.sign(samples[over]) * (
            _SOFT + room * np.tanh((np.abs(samples[over]) - _SOFT) / room)
        )
        return samples if piece.pause_s is None else _shortened(samples, piece.pause_s)

    def _phonemes(self, text: str) -> str:
        """Return what to pronounce, empty when nothing of `text` is."""
        try:
            phonemes: str = self._model.g2p(text)
        except Exception:  # noqa: BLE001 - its many rules meet what any stranger writes.
            words = text.split()
            # One word that breaks them must not silence the others.
            return " ".join(self._phonemes(word) for word in words) if len(words) > 1 else ""
        return phonemes if any(mark.isalpha() for mark in phonemes) else ""

    def _synthesised(self, phonemes: str, voice: Voice, pace: float) -> Samples:
        ids = np.asarray([self._model.ids(phonemes)], np.int64)
        asked = {"ids": ids, "speed": np.asarray([pace], np.float32)}
        harmonic, angle, noise, free, phase, pitch = (
            part[0] for part in self._model.sess.run(None, asked)
        )
        if (voice.pitch, voice.formants, voice.melody) != (1.0, 1.0, 1.0):
            harmonic = _envelope(harmonic, pitch)
            harmonic, angle, noise, free = (
                _warped(part, voice.formants) for part in (harmonic, angle, noise, free)
            )
            pitch = _sung(pitch, voice)
        # The same words sound the same: the noise in the voice has a fixed seed.
        rng = np.random.default_rng(0)
        samples: Samples = dsp.synth(harmonic, angle, noise, free, phase, pitch, rng)
        return samples


def _parts(phonemes: str) -> Iterator[str]:
    """Yield phonemes in stretches that the model takes, cut between words."""
    while len(phonemes) > _PHONEMES:
        end = phonemes.rfind(" ", 1, _PHONEMES)
        end = _PHONEMES if end < 0 else end
        yield phonemes[:end]
        phonemes = phonemes[end:].lstrip()
    if phonemes:
        yield phonemes


def _envelope(harmonic: NDArray[np.float32], pitch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the loudness of every frequency bin [bins, frames], read off at the harmonics alone.

    Between the harmonics of the pitch it was trained on the model may say anything, up to a
    thousand times too much: another pitch would sound it (peaks of 1.5 instead of 0.5 for echo).
    """
    smooth = harmonic.copy()
    for frame in np.flatnonzero(pitch > _FIRST_VOICED_HZ):
        step = pitch[frame] / _BIN_HZ
        at = np.arange(step, len(_BINS) - 1, step)
        smooth[:, frame] = np.interp(_BINS, at, np.interp(at, _BINS, harmonic[:, frame]))
    return smooth


def _warped(spectrum: NDArray[np.float32], formants: float) -> NDArray[np.float32]:
    """Return the spectrum stretched along its bins, as by a throat of another length."""
    if formants == 1.0:
        return spectrum
    at = np.clip(_BINS / formants, 0, len(_BINS) - 1)
    below = at.astype(int)
    above = np.minimum(below + 1, len(_BINS) - 1)
    share = (at - below)[:, None].astype(np.float32)
    warped: NDArray[np.float32] = spectrum[below] * (1 - share) + spectrum[above] * share
    return warped


def _sung(pitch: NDArray[np.float32], voice: Voice) -> NDArray[np.float32]:
    """Return the pitch in Hz, moved around its mean as the voice does; unvoiced frames stay."""
    voiced = pitch > _FIRST_VOICED_HZ
    if not voiced.any():
        return pitch
    mean = np.exp(np.log(pitch[voiced]).mean())
    sung = pitch.copy()
    sung[voiced] = mean * voice.pitch * (pitch[voiced] / mean) ** voice.melody
    return sung


def _shortened(samples: Samples, pause_s: float) -> Samples:
    """Return the samples with `pause_s` of the silence that the model ends every piece with."""
    loud = np.flatnonzero(np.abs(samples) > _QUIET)
    return samples[: loud[-1] + 1 + int(pause_s * SPOKEN_HZ)] if len(loud) else samples
