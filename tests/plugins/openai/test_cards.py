"""What the names of models and hosts tell."""

import pytest
from genai_prices.data import providers

from gateway_openai.cards import card_of
from gateway_openai.hosts import hosts
from gateway_openai.settings import OpenAISettings


@pytest.mark.parametrize(
    ("model", "takes", "makes"),
    [
        ("gpt-image-2", ("text", "image"), ("image",)),
        ("dall-e-2", ("text", "image"), ("image",)),
        ("dall-e-3", ("text",), ("image",)),
        ("black-forest-labs/FLUX.1-Kontext-dev", ("text", "image"), ("image",)),
        ("flux-schnell", ("text",), ("image",)),
        ("qwen-image", ("text",), ("image",)),
        ("qwen-image-edit", ("text", "image"), ("image",)),
        ("whisper-1", ("audio",), ("text",)),
        ("gpt-4o-mini-tts", ("text",), ("audio",)),
        ("text-embedding-3-small", ("text",), ("embedding",)),
        ("omni-moderation-latest", ("text",), ("moderation",)),
        ("gpt-4o-mini", ("text", "image"), ("text",)),
        ("openai/gpt-4o-2024-08-06", ("text", "image"), ("text",)),
        ("gpt-4o-audio-preview", None, ("text", "audio")),
        ("openai/gpt-audio-mini", None, ("text", "audio")),
        ("audiobook-writer", None, ("text",)),
        ("gpt-4o-transcribe", ("audio",), ("text",)),
        ("llama-3.3-70b-versatile", ("text",), ("text",)),
        ("o3-mini", ("text",), ("text",)),
        ("anything-else", None, ("text",)),
    ],
)
def test_a_name_tells_what_goes_in_and_comes_out(
    model: str, takes: tuple[str, ...] | None, makes: tuple[str, ...]
) -> None:
    card = card_of(model, fetches_links=True)

    assert (card.input_modalities, card.output_modalities) == (takes, makes)
    assert card.fetches_links is (True if "text" in makes and takes != ("audio",) else None)


@pytest.mark.parametrize(
    ("settings", "fetches"),
    [
        ({"host": "openai"}, True),
        ({"host": "groq"}, True),
        ({"host": "ollama"}, None),
        ({"host": "vllm"}, None),
        ({"host": "openai", "base_url": "http://proxy.internal/v1"}, None),
        ({"base_url": "https://api.openai.com/v1"}, None),
    ],
)
def test_only_a_known_host_on_the_internet_fetches_links(
    settings: dict[str, str], fetches: bool | None
) -> None:
    assert OpenAISettings.model_validate(settings).fetches_links() is fetches


def test_every_host_whose_prices_are_listed_is_in_the_list() -> None:
    listed = {provider.id for provider in providers}

    named = {name: row.prices_of for name, row in hosts().items() if row.prices_of is not None}

    assert named["gemini"] == "google"
    assert set(named.values()) <= listed
    assert set(hosts()) & listed <= set(named)


@pytest.mark.parametrize(
    ("settings", "prices_of"),
    [
        ({"host": "xai", "api_key": "k"}, "x-ai"),
        ({"base_url": "https://api.openai.com/v1", "api_key": "k"}, "openai"),
        ({"host": "openai", "base_url": "https://proxy.example.org/v1", "api_key": "k"}, None),
        ({"base_url": "http://127.0.0.1:8000/v1", "api_key": "k"}, None),
        ({"host": "nvidia", "api_key": "k"}, None),
        ({"host": "ollama"}, None),
    ],
)
def test_the_prices_of_a_host_are_known_by_its_name_or_address(
    settings: dict[str, str], prices_of: str | None
) -> None:
    assert OpenAISettings.model_validate(settings).prices_of() == prices_of


@pytest.mark.parametrize(
    ("settings", "routes"),
    [
        ({"host": "openrouter", "api_key": "k"}, True),
        ({"host": "openrouter", "base_url": "http://127.0.0.1:1/v1"}, True),
        ({"base_url": "https://openrouter.ai/api/v1"}, True),
        ({"base_url": "https://api.openai.com/v1"}, None),
        ({"host": "groq"}, None),
    ],
)
def test_openrouter_chooses_by_fields_of_the_request(
    settings: dict[str, str], routes: bool | None
) -> None:
    assert OpenAISettings.model_validate(settings).routes_itself() is routes
