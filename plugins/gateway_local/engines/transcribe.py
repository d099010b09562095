"""The engine `transcribe`: speech written down, with times, by Whisper (faster-whisper)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import ctranslate2  # type: ignore[import-untyped]
import numpy as np
from faster_whisper import WhisperModel  # type: ignore[import-untyped]
from numpy.typing import NDArray

from gateway.schema.json import JsonObject
from gateway.sdk.workshop import EngineRefusal
from gateway_local.sound import HEARD_HZ, Samples, SoundError, decode

_FILE_BYTES = 25 * 1024 * 1024
_LONGEST_S = 2 * 60 * 60
# Whisper hears 30 s at a time, but its library begins with the spectrum of all that it is given.
# Longer sound is given to it in stretches, cut where it is quietest: 500 MB for base, however long.
# A stretch is not told what the last one said: with that, it began by saying it again (2026-11).
_STRETCH_S = 120
_CUT_WITHIN_S = 20
_HUSH = HEARD_HZ // 10
_LEAST_S = 0.1
_PROMPT_LENGTH = 2000
# Greedy: five beams took 1.6 times as long and 150 MB more to write the same words (2026-11).
_BEAMS = 1
_COMPUTE = "int8"
# Tried in turn while an answer repeats itself or is improbable, as the publisher's own code does
# (in steps of 0.2, which takes twice as long on noise).
_TEMPERATURES = (0.0, 0.4, 0.8)
_SEED = 0


def load(orders: JsonObject) -> "Transcriber":
    """Load the weights in `folder`; `threads` is how many cores it may have."""
    folder = Path(orders["folder"])
    if not (folder / "model.bin").is_file():
        said = f"the weights {folder.name} are not on this machine: run `dynagate models pull`"
        raise EngineRefusal("not_ready", said)
    # Taken by each model once, when it draws for the first time (ctranslate2 4.8).
    ctranslate2.set_random_seed(_SEED)
    return Transcriber(_Whisper(folder, threads=orders.get("threads", 0)))


@dataclass(slots=True)
class _Asked:
    """What a call asked for, and what it has learnt so far; times are in seconds."""

    language: str | None
    prompt: str | None
    temperatures: tuple[float, ...]
    task: str
    has_words: bool
    begun_s: float = 0.0
    text: str = ""
    segments: list[JsonObject] = field(default_factory=list)
    words: list[JsonObject] = field(default_factory=list)


class Transcriber:
    """One Whisper model."""

    def __init__(self, model: WhisperModel) -> None:
        self._model = model

    def transcribe(
        self, arguments: JsonObject, blobs: list[bytes]
    ) -> Iterator[tuple[JsonObject, bytes] | None]:
        """Yield once: `text`, `language`, `duration_s`, `segments` and `words`.

        `path` is a file of at most 25 MB and two hours in any usual format; `language` (ISO
        639-1), `prompt` and `temperature` may be null; `is_translation` asks for English.
        Stretches without speech are left out before the model hears them: it would invent words.
        """
        asked = self._asked(arguments)
        rest = np.zeros(0, np.float32)
        for samples in _stretches(Path(arguments["path"])):
            if samples is None:
                yield None
                continue
            rest = np.concatenate((rest, samples))
            if len(rest) >= _STRETCH_S * HEARD_HZ:
                end = _quietest(rest)
                yield from self._hear(rest[:end], asked)
                rest = rest[end:]
        yield from self._hear(rest, asked)
        facts: JsonObject = {
            "text": asked.text.strip(),
            "language": asked.language,
            "duration_s": asked.begun_s,
            "segments": asked.segments,
            "words": asked.words,
        }
        yield facts, b""

    def _asked(self, arguments: JsonObject) -> _Asked:
        language = arguments.get("language")
        is_multilingual = self._model.model.is_multilingual
        if language is not None:
            language = language.lower()
            if not is_multilingual and language != "en":
                said = "this model writes down English alone"
                raise EngineRefusal("unsupported", said, "language")
            if language not in self._model.supported_languages:
                said = f"no language {language!r} is known to the model; use ISO 639-1, as in `de`"
                raise EngineRefusal("caller_fault", said, "language")
        temperature = arguments.get("temperature")
        return _Asked(
            language=language,
            prompt=(arguments.get("prompt") or "")[-_PROMPT_LENGTH:] or None,
            temperatures=(temperature,) if temperature else _TEMPERATURES,
            task="translate" if arguments["is_translation"] and is_multilingual else "transcribe",
            has_words=arguments["has_words"],
        )

    def _hear(self, samples: Samples, asked: _Asked) -> Iterator[None]:
        """Add what is said in one stretch to `asked`."""
        begun_s = asked.begun_s
        asked.begun_s = _seconds(begun_s + len(samples) / HEARD_HZ)
        if len(samples) < _LEAST_S * HEARD_HZ:
            return
        segments, info = self._model.transcribe(
            samples,
            language=asked.language,
            task=asked.task,
            beam_size=_BEAMS,
            best_of=1,
            temperature=asked.temperatures,
            initial_prompt=asked.prompt,
            word_timestamps=asked.has_words,
            vad_filter=True,
        )
        yield None
        for segment in segments:
            asked.language = asked.language or info.language
            asked.text += segment.text
            asked.segments.append(
                {
                    "text": segment.text,
                    "start_s": _seconds(begun_s + segment.start),
                    "end_s": _seconds(begun_s + segment.end),
                    "average_logprob": float(segment.avg_logprob),
                    "no_speech_probability": float(segment.no_speech_prob),
                    "compression_ratio": float(segment.compression_ratio),
                    "temperature": float(segment.temperature or 0.0),
                    "tokens": list(segment.tokens),
                }
            )
            asked.words.extend(
                {
                    "text": word.word.strip(),
                    "start_s": _seconds(begun_s + word.start),
                    "end_s": _seconds(begun_s + word.end),
                }
                for word in segment.words or ()
            )
            yield None


class _Whisper(WhisperModel):  # type: ignore[misc]  # It has no types.
    """Encodes what it has just encoded once, and writes the same down whenever it hears the same.

    The library listens to the first half minute twice, to tell the language and to write it down,
    the second time without its last hundredth of a second: half the time of a short sentence.
    """

    model: Any  # Any: of ctranslate2's, which has no types.

    def __init__(self, folder: Path, *, threads: int) -> None:
        self._loaded = partial(
            ctranslate2.models.Whisper,
            str(folder),
            device="cpu",
            compute_type=_COMPUTE,
            intra_threads=threads,
        )
        super().__init__(str(folder), device="cpu", compute_type=_COMPUTE, cpu_threads=threads)
        self._heard: NDArray[np.float32] | None = None
        self._encoded: Any = None  # Any: a tensor of ctranslate2's.

    def encode(self, features: NDArray[np.float32]) -> Any:  # Any: as above.
        known = self._heard
        if (
            known is None
            or known.shape != features.shape
            or np.count_nonzero((known != features).any(axis=0)) > 1
        ):
            self._encoded, self._heard = super().encode(features), features
        return self._encoded

    def generate_with_fallback(self, *arguments: Any) -> Any:  # Any: the library's own.
        model = self.model
        self.model = _Drawing(model, self._loaded)
        try:
            return super().generate_with_fallback(*arguments)
        finally:
            self.model = model


class _Drawing:
    """A model for one half minute, which draws its words by lot as if nobody had drawn before.

    A model of ctranslate2's has one generator of random numbers and no way to set it back: another
    is loaded for as long as it draws, in 0.3 to 1 s on two cores; only above temperature 0.
    """

    def __init__(self, model: Any, loaded: Callable[[], Any]) -> None:  # Any: it has no types.
        self._model = model
        self._loaded = loaded

    @cached_property
    def _fresh(self) -> Any:  # Any: as above.
        return self._loaded()

    def generate(self, *arguments: Any, **named: Any) -> Any:  # Any: as above.
        model = self._fresh if named.get("sampling_temperature") else self._model
        return model.generate(*arguments, **named)


def _seconds(time: float) -> float:
    """Return a time to the millisecond, as a plain number: the library's are numpy's at times."""
    return round(float(time), 3)


def _stretches(path: Path) -> Iterator[Samples | None]:
    """Yield a file's samples in blocks of some seconds, None between them; refuse what is none."""
    size = path.stat().st_size
    if size == 0:
        raise EngineRefusal("caller_fault", "the file is empty", "file")
    if size > _FILE_BYTES:
        said = f"the file has {size} bytes, more than {_FILE_BYTES}"
        raise EngineRefusal("caller_fault", said, "file")
    blocks: list[Samples] = []
    held = heard = 0
    try:
        for block in decode(path):
            blocks.append(block)
            held += len(block)
            heard += len(block)
            if heard > _LONGEST_S * HEARD_HZ:
                said = f"the file is longer than {_LONGEST_S // 60} minutes"
                raise EngineRefusal("caller_fault", said, "file")
            if held >= _CUT_WITHIN_S * HEARD_HZ:
                yield np.concatenate(blocks)
                yield None
                blocks, held = [], 0
    except SoundError as error:
        raise EngineRefusal("caller_fault", str(error), "file") from error
    if blocks:
        yield np.concatenate(blocks)


def _quietest(samples: Samples) -> int:
    """Return where to cut: in the middle of the quietest half second near the end."""
    begin = len(samples) - _CUT_WITHIN_S * HEARD_HZ
    tenths = samples[begin : begin + _CUT_WITHIN_S * HEARD_HZ // _HUSH * _HUSH].reshape(-1, _HUSH)
    loudness = np.convolve(np.square(tenths).mean(axis=1), np.ones(5), mode="valid")
    return begin + (int(loudness.argmin()) * 2 + 5) * _HUSH // 2
