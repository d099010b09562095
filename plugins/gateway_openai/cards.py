"""What the name of a model behind such an API tells of it."""

import re

from gateway.sdk import ModelCard

_EMBEDDING = re.compile(r"embed|bge-|gte-|e5-", re.IGNORECASE)
_SPEECH = re.compile(r"(^|[-_/])tts|kokoro|orpheus", re.IGNORECASE)
_TRANSCRIPTION = re.compile(r"whisper|transcribe|parakeet", re.IGNORECASE)
_IMAGE = re.compile(r"image|dall-e|flux|stable-diffusion|sdxl", re.IGNORECASE)
_MODERATION = re.compile(r"moderation", re.IGNORECASE)


def card_of(model: str) -> ModelCard:
    """Return the card; a configured one wins over it."""
    if _EMBEDDING.search(model):
        return ModelCard(input_modalities=("text",), output_modalities=("embedding",))
    if _SPEECH.search(model):
        return ModelCard(input_modalities=("text",), output_modalities=("audio",))
    if _TRANSCRIPTION.search(model):
        return ModelCard(input_modalities=("audio",), output_modalities=("text",))
    if _IMAGE.search(model):
        return ModelCard(input_modalities=("text",), output_modalities=("image",))
    if _MODERATION.search(model):
        return ModelCard(input_modalities=("text",), output_modalities=("moderation",))
    return ModelCard(output_modalities=("text",), json_object=True)
