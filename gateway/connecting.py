"""The configured providers, connected, and the routes that lead to them."""

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack

from gateway.background import Background
from gateway.config.document import Document
from gateway.config.places import cache_dir, state_dir
from gateway.pipeline.gate import Gate
from gateway.pipeline.route import Connected, Route, target_of
from gateway.registry import ConfiguredProvider
from gateway.sdk.http import HttpClient
from gateway.sdk.providers import Clock, Deps
from gateway.transport.client import connect_http

_log = logging.getLogger("dynagate")


async def connect(
    provider: ConfiguredProvider,
    stack: AsyncExitStack,
    environ: Mapping[str, str],
    shared: tuple[Clock, Background, HttpClient],
) -> Connected:
    """Connect one provider; leaving `stack` disconnects it. One that fails is set aside, said why.

    `shared` are the clock, what runs in the background and the guarded fetch of all providers.
    """
    clock, background, fetch = shared
    section, kind = provider.section, provider.kind
    gate = Gate(section)
    if provider.missing is not None:
        return Connected(provider.name, kind.name, None, gate, provider.missing)
    deps = Deps(
        name=provider.name,
        http=await stack.enter_async_context(connect_http(section.http, clock=clock)),
        fetch=fetch,
        clock=clock,
        log=logging.getLogger(f"dynagate.provider.{provider.name}"),
        state_dir=state_dir(environ) / "providers" / provider.name,
        cache_dir=cache_dir(environ),
        background=background,
    )
    try:
        instance = await stack.enter_async_context(kind.connect(provider.settings, deps))
    except Exception as error:  # noqa: BLE001 - one plugin's bug must not stop the others.
        _log.exception("provider %s could not be connected", provider.name)
        return Connected(
            provider.name, kind.name, None, gate, f"it failed to start: {type(error).__name__}"
        )
    return Connected(provider.name, kind.name, instance, gate, is_paid=bool(provider.secrets))


def routes_of(document: Document, connected: Mapping[str, Connected]) -> list[Route]:
    """Return the routes of the configuration over connected providers."""
    routes = []
    for name, model in document.models.items():
        targets = []
        for section in model.targets:
            provider = connected[section.provider]
            targets.append(target_of(provider, section.model, section.card))
        routes.append(Route(name, tuple(targets), model.aliases, model.description))
    return routes
