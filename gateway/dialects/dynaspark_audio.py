"""DynaSpark's audio: the text paths with a model that speaks."""

from collections.abc import Collection, Mapping
from typing import Any

from gateway.dialects.dynaspark import AUDIO_PARAMETERS, VOICES, ignored, read, user_input_of
from gateway.dialects.fields import Boolean, Choice, Text
from gateway.schema.ask import Ask, Feature
from gateway.schema.audio import SpeechRequest
from gateway.schema.json import JsonObject

_DEFAULT_VOICE = "alloy"
_UNDERSTOOD = {"user_input", "model", "api_key", "private", "referrer", *AUDIO_PARAMETERS}


def parse_audio(
    given: Mapping[str, Any],  # Any: text, or a JSON value of a POST.
    *,
    model: str,
    voices: Collection[str],
) -> Ask:
    """Return the request to read `user_input` aloud; `voices` are those the model's card adds.

    Raises `missing_parameter` for a blank `user_input` and `invalid_parameter` for the rest.
    """
    text = user_input_of(given)
    named = (*VOICES, *(voice for voice in voices if voice not in VOICES))
    kinds = {
        **AUDIO_PARAMETERS,
        "voice": Choice(named),
        "private": Boolean(),
        "referrer": Text(256),
    }
    values = read(given, kinds)

    def translate(_: JsonObject) -> SpeechRequest:
        return SpeechRequest(
            model=model,
            text=text,
            voice=values.get("voice", _DEFAULT_VOICE),
            format=values.get("format", "mp3"),
            speed=values.get("speed", 1.0),
            is_hd=values.get("quality") == "hd",
        )

    return Ask(
        dialect="dynaspark",
        model=model,
        translate=translate,
        needs=frozenset({Feature.SPEECH}),
        answer="bytes",
        is_private=values.get("private", False),
        referrer=values.get("referrer") or None,
        ignored_params=ignored(given, _UNDERSTOOD),
    )
