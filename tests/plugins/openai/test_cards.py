"""What a model's name tells of it."""

import pytest

from gateway_openai.cards import card_of


@pytest.mark.parametrize(
    ("model", "output"),
    [
        ("gpt-audio", ("text", "audio")),
        ("gpt-4o-mini-audio-preview", ("text", "audio")),
        ("openai/gpt-audio-mini", ("text", "audio")),
        ("gpt-5-mini", ("text",)),
        ("audiobook-writer", ("text",)),
        ("tts-1-hd", ("audio",)),
        ("gpt-4o-transcribe", ("text",)),
        ("text-embedding-3-small", ("embedding",)),
        ("gpt-image-1", ("image",)),
    ],
)
def test_the_name_says_what_comes_out(model: str, output: tuple[str, ...]) -> None:
    assert card_of(model).output_modalities == output


@pytest.mark.parametrize("model", ["whisper-1", "gpt-4o-mini-transcribe"])
def test_what_writes_down_takes_sound_alone(model: str) -> None:
    assert card_of(model).input_modalities == ("audio",)
