"""Providers that speak OpenAI's API: `kind: openai`."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from gateway.sdk import Deps, ProviderKind, hookimpl
from gateway_openai.provider import OpenAI
from gateway_openai.settings import OpenAISettings


@asynccontextmanager
async def connect(settings: OpenAISettings, deps: Deps) -> AsyncGenerator[OpenAI]:
    """Live as long as the configuration that names this provider; holds nothing but `deps.http`."""
    yield OpenAI(settings, deps)


@hookimpl
def gateway_provider_kinds() -> Iterable[ProviderKind]:
    """Offer `kind: openai`."""
    return [
        ProviderKind(
            name="openai",
            settings=OpenAISettings,
            connect=connect,
            missing=OpenAISettings.missing,
            secrets=OpenAISettings.secrets,
        )
    ]
