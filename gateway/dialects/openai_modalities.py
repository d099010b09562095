"""What an OpenAI chat body asks to be answered with besides words.

Source: OpenAI API reference, Chat Completions, `modalities` and `audio`.
"""

from types import MappingProxyType
from typing import Any

from gateway.dialects.fields import Text, refusal
from gateway.schema.ask import Feature
from gateway.schema.audio import AudioFormat
from gateway.schema.chat import AudioOutput
from gateway.schema.json import NO_EXTRA, JsonObject, Wire

_FORMATS: MappingProxyType[str, AudioFormat] = MappingProxyType(
    {"wav": "wav", "aac": "aac", "mp3": "mp3", "flac": "flac", "opus": "opus", "pcm16": "pcm"}
)
_VOICE = Text(64, is_blank_ok=False)
_DEFAULT_VOICE = "alloy"


def check_modalities(document: JsonObject) -> set[Feature]:
    """Return what `modalities` needs; with audio among them, `audio` is checked as well.

    Raises `invalid_parameter` naming the field.
    """
    modalities = document["modalities"]
    if not isinstance(modalities, list) or not {"text", "audio"} >= set(map(str, modalities)):
        raise refusal("modalities", modalities, 'an array of "text" and "audio"')
    if "audio" not in modalities:
        return set()
    audio = document.get("audio")
    if audio is not None:
        _check_audio(audio)
    return {Feature.AUDIO_OUTPUT}


def audio_of(document: JsonObject) -> AudioOutput | None:
    """Return the sound that a checked document asks for; None without `audio` in `modalities`.

    Left out, the voice is alloy, and the format wav, or in a stream pcm16 as OpenAI's own is.
    """
    modalities = document.get("modalities") or ()
    if "audio" not in modalities:
        return None
    audio = document.get("audio") or {}
    voice, rest = audio.get("voice"), dict(audio)
    if isinstance(voice, dict):
        voice = voice["id"]  # The object itself stays in what is left.
    else:
        rest.pop("voice", None)
    form = _FORMATS.get(rest.pop("format", None) or "")
    if form is None:
        form = "pcm" if document.get("stream") is True else "wav"
    return AudioOutput(
        voice=voice or _DEFAULT_VOICE,
        format=form,
        is_alone="text" not in modalities,
        extra={Wire.OPENAI_CHAT: rest} if rest else NO_EXTRA,
    )


def _check_audio(audio: Any) -> None:  # Any: a JSON value, checked here.
    if not isinstance(audio, dict):
        raise refusal("audio", audio, "an object with voice and format")
    voice = audio.get("voice")
    if isinstance(voice, dict):
        _VOICE.from_json("audio.voice.id", voice.get("id"))
    elif voice is not None:
        _VOICE.from_json("audio.voice", voice)
    form = audio.get("format")
    if form is not None and (not isinstance(form, str) or form not in _FORMATS):
        raise refusal("audio.format", form, f"one of {', '.join(_FORMATS)}")
