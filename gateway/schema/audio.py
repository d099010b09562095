"""Speech out of text, and text out of speech."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from gateway.schema.json import NO_EXTRA, Extra
from gateway.schema.usage import Usage

AudioFormat = Literal["mp3", "aac", "flac", "opus", "wav", "pcm"]

MEDIA_TYPES = MappingProxyType(
    {
        "mp3": "audio/mpeg",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "opus": "audio/ogg",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
    }
)
"""What an answer in each format is; `pcm` is 24 kHz, mono, signed 16-bit little-endian."""
PCM_BYTES_A_SECOND = 48_000


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """Text to read aloud as it stands; `speed` 0.25 to 4.0, without a change of pitch."""

    model: str
    text: str
    voice: str
    format: AudioFormat = "mp3"
    speed: float = 1.0
    is_hd: bool = False
    instructions: str | None = None
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """Speech to write down; `path` is a file of the gateway's own that lives as long as the call.

    `is_translation` asks for English whatever was spoken. `language` is ISO 639-1.
    """

    model: str
    path: Path
    filename: str
    language: str | None = None
    prompt: str | None = None
    temperature: float | None = None
    is_translation: bool = False
    has_words: bool = False
    """Times of words are asked for, too."""
    extra: Extra = NO_EXTRA


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word; times in seconds from the start."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech; times in seconds from the start."""

    text: str
    start_s: float
    end_s: float
    average_logprob: float = 0.0
    no_speech_probability: float = 0.0
    compression_ratio: float = 0.0
    temperature: float = 0.0
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said."""

    text: str
    language: str | None = None
    duration_s: float | None = None
    segments: tuple[Segment, ...] = ()
    words: tuple[Word, ...] = ()
    usage: Usage | None = None
