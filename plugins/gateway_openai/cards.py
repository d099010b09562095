"""What the name of a model behind such an API tells of it."""

import re
from typing import NamedTuple

from gateway.sdk import ModelCard
from gateway.sdk.providers import Modality


class _Sort(NamedTuple):
    """Models by what is found in their name, what they take and what they make."""

    name: str
    takes: tuple[Modality, ...] | None
    makes: tuple[Modality, ...] = ("text",)


# The first whose name is found counts. Those of chat models carry a version, so that no host can
# mean something else by them; of the rest nobody knows what they take.
_SORTS = (
    _Sort(r"embed|bge-|gte-|e5-", ("text",), ("embedding",)),
    _Sort(r"(^|[-_/])tts|kokoro|orpheus", ("text",), ("audio",)),
    _Sort(r"whisper|transcribe|parakeet", ("audio",)),
    _Sort(r"gpt-image|dall-e-2|kontext|image-edit|seededit|pix2pix", ("text", "image"), ("image",)),
    _Sort(r"image|dall-e|flux|stable-diffusion|sdxl", ("text",), ("image",)),
    _Sort(r"moderation", ("text",), ("moderation",)),
)
_CHATS = (
    _Sort(r"(^|/)gpt-([\w.]+-)*audio", None, ("text", "audio")),
    _Sort(r"(^|/)gpt-4o(-mini)?(-20\d\d-\d\d-\d\d)?$", ("text", "image")),
    _Sort(r"(^|/)(gpt-4\.1|pixtral|llava|llama-4-(scout|maverick))", ("text", "image")),
    _Sort(r"(^|/)qwen(2|2\.5|3)-vl", ("text", "image")),
    _Sort(r"(^|/)(gpt-3\.5|gpt-oss|o1-mini|o3-mini|deepseek-r1|llama-3\.[13]-)", ("text",)),
    _Sort("", None),
)


def card_of(
    model: str,
    *,
    fetches_links: bool | None = None,
    prices_of: str | None = None,
    routes_itself: bool | None = None,
) -> ModelCard:
    """Return the card; a configured one wins over it.

    `fetches_links` and `routes_itself` are what the host does, `prices_of` what `genai-prices`
    calls it.
    """
    for sort in _SORTS:
        if re.search(sort.name, model, re.IGNORECASE):
            return ModelCard(
                input_modalities=sort.takes,
                output_modalities=sort.makes,
                prices_of=prices_of,
                routes_itself=routes_itself,
            )
    chat = next(sort for sort in _CHATS if re.search(sort.name, model, re.IGNORECASE))
    return ModelCard(
        input_modalities=chat.takes,
        output_modalities=chat.makes,
        json_object=True,
        fetches_links=fetches_links,
        prices_of=prices_of,
        routes_itself=routes_itself,
    )
