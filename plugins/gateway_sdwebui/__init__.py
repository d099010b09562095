"""Pictures from AUTOMATIC1111's stable-diffusion-webui and its forks: `kind: sdwebui`."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from gateway.sdk import Deps, ProviderKind, hookimpl
from gateway_sdwebui.provider import Webui
from gateway_sdwebui.settings import WebuiSettings


@asynccontextmanager
async def connect(settings: WebuiSettings, deps: Deps) -> AsyncGenerator[Webui]:
    """Live as long as the configuration that names this provider; holds no connection open."""
    yield Webui(settings, deps)


@hookimpl
def gateway_provider_kinds() -> Iterable[ProviderKind]:
    """Offer `kind: sdwebui`."""
    return [
        ProviderKind(
            name="sdwebui",
            settings=WebuiSettings,
            connect=connect,
            missing=WebuiSettings.missing,
            secrets=WebuiSettings.secrets,
        )
    ]
