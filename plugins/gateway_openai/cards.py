"""What the name of a model behind such an API tells of it."""

import re

from gateway.sdk import ModelCard

_EMBEDDING = re.compile(r"embed|bge-|gte-|e5-", re.IGNORECASE)
_SPEECH = re.compile(r"(^|[-_/])tts|kokoro|orpheus", re.IGNORECASE)
_TRANSCRIPTION = re.compile(r"whisper|transcribe|parakeet", re.IGNORECASE)
_SPEAKING = re.compile(r"(^|/)gpt-([\w.]+-)*audio", re.IGNORECASE)
_IMAGE = re.compile(r"image|dall-e|flux|stable-diffusion|sdxl", re.IGNORECASE)
_MODERATION = re.compile(r"moderation", re.IGNORECASE)
_ROWS = (
    (_EMBEDDING, ModelCard(input_modalities=("text",), output_modalities=("embedding",))),
    (_SPEECH, ModelCard(input_modalities=("text",), output_modalities=("audio",))),
    (_TRANSCRIPTION, ModelCard(input_modalities=("audio",), output_modalities=("text",))),
    (_IMAGE, ModelCard(input_modalities=("text",), output_modalities=("image",))),
    (_MODERATION, ModelCard(input_modalities=("text",), output_modalities=("moderation",))),
    (_SPEAKING, ModelCard(output_modalities=("text", "audio"))),
)
_OTHER = ModelCard(output_modalities=("text",), json_object=True)


def card_of(model: str) -> ModelCard:
    """Return the card; a configured one wins over it."""
    return next((card for pattern, card in _ROWS if pattern.search(model)), _OTHER)
