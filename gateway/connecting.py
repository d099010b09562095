"""The configured providers, connected, and the routes that lead to them."""

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import MappingProxyType

from pydantic import BaseModel

from gateway.background import Background
from gateway.config.document import Document
from gateway.config.places import cache_dir, state_dir
from gateway.config.upstreams import Provider
from gateway.config.upstreams import Target as TargetSection
from gateway.crew.gates import FarGate, Share, shared_out
from gateway.crew.post import Post
from gateway.crew.proxies import Far, proxy_of
from gateway.pipeline.attempts.gate import Gate, Places
from gateway.pipeline.attempts.hedge import Hedging, Shadowing
from gateway.pipeline.health.book import HealthBook
from gateway.pipeline.health.of_keys import key_of
from gateway.pipeline.routing.route import Route
from gateway.pipeline.routing.target import Connected, Target, name_of, target_of
from gateway.pipeline.rules.guarded_text import guard_set
from gateway.registry import ConfiguredProvider
from gateway.sdk.http import HttpClient
from gateway.sdk.providers import Clock, Deps
from gateway.sdk.stages import StageKind
from gateway.transport.client import connect_http

_log = logging.getLogger("dynagate")


@dataclass(frozen=True, slots=True)
class Connector:
    """Connects providers for this process; `post` says which of several that is.

    `fetch` is the guarded one, of all providers.
    """

    environ: Mapping[str, str]
    clock: Clock
    background: Background
    fetch: HttpClient
    post: Post | None

    async def connect(
        self, provider: ConfiguredProvider, gate: Places, generation: int, stack: AsyncExitStack
    ) -> Connected:
        """Connect one provider; leaving `stack` disconnects it. One that fails is set aside.

        `generation` says for which configuration the host is asked; raises `LinkError` where that
        is gone.
        """
        kind, post, name = provider.kind, self.post, provider.name
        if provider.missing is not None:
            return Connected(name, kind.name, None, gate, provider.missing)
        if post is not None and post.is_host and not kind.once:
            return Connected(name, kind.name, None, gate, "the workers have it")
        if post is not None and self.is_far(provider):
            return await _far(provider, gate, post, generation)
        http = connect_http(provider.section.http, clock=self.clock)
        deps = Deps(
            name=name,
            http=await stack.enter_async_context(http),
            fetch=self.fetch,
            clock=self.clock,
            log=logging.getLogger(f"dynagate.provider.{name}"),
            state_dir=state_dir(self.environ) / "providers" / name,
            cache_dir=cache_dir(self.environ),
            background=self.background,
        )
        keyed: list[tuple[int | None, BaseModel]] = [*provider.keyed.items()]
        try:
            instances = [
                (number, await stack.enter_async_context(kind.connect(settings, deps)))
                for number, settings in keyed or [(None, provider.settings)]
            ]
        except Exception as error:  # noqa: BLE001 - one plugin's bug must not stop the others.
            _log.exception("provider %s could not be connected", name)
            why = f"it failed to start: {type(error).__name__}"
            return Connected(name, kind.name, None, gate, why, has_failed=True)
        is_paid = bool(provider.secrets)
        first, *others = [
            Connected(name, kind.name, instance, gate, is_paid=is_paid, key=number)
            for number, instance in instances
        ]
        return replace(first, others=tuple(others))

    def is_far(self, provider: ConfiguredProvider) -> bool:
        """Say whether the host has the provider, and this process but asks it."""
        return self.post is not None and not self.post.is_host and provider.kind.once

    def gate(self, provider: ConfiguredProvider, before: Places | None) -> Places:
        """Return the gate that holds for all processes together: the one `before`, if it will do.

        It goes on as it is until `adjust`.
        """
        post, section = self.post, provider.section
        if post is None or post.is_host:
            return before if isinstance(before, Gate) else Gate(section)
        if provider.kind.once or section.concurrent < post.workers:
            return (
                before if isinstance(before, FarGate) else FarGate(post.host_socket, provider.name)
            )
        return before if isinstance(before, Gate) else Gate(self._part_of(section))

    def adjust(self, gate: Places, provider: ConfiguredProvider) -> None:
        """Let the gate go on with what a reload says of its provider."""
        if isinstance(gate, Gate):
            gate.adjust(self._part_of(provider.section))

    def _part_of(self, section: Provider) -> Provider:
        """Return what this process may have of it."""
        post = self.post
        if post is None or post.is_host:
            return section
        return shared_out(section, Share(post.number, post.workers))


async def _far(
    provider: ConfiguredProvider, gate: Places, post: Post, generation: int
) -> Connected:
    """Return a provider that the host runs."""
    far = Far(post.host_socket, provider.name, generation)
    told = await far.told()
    name, kind, is_paid = provider.name, provider.kind.name, bool(provider.secrets)
    if told.missing is not None:
        return Connected(name, kind, None, gate, told.missing)
    return Connected(name, kind, proxy_of(far, told), gate, is_paid=is_paid)


def routes_of(
    document: Document,
    connected: Mapping[str, Connected],
    health: HealthBook,
    stages: Mapping[str, StageKind] = MappingProxyType({}),
) -> list[Route]:
    """Return the routes of the configuration over connected providers."""
    routes = []
    for name, model in document.models.items():
        targets = []
        for section in model.targets:
            provider = connected[section.provider]
            first, *others = (_target(one, section, health) for one in (provider, *provider.others))
            targets.append(replace(first, others=tuple(others)))
        targets.sort(key=lambda target: target.tier)
        routes.append(
            Route(
                name,
                tuple(targets),
                model.aliases,
                model.description,
                model.strategy,
                model.sticky_by,
                transforms=model.transforms,
                hedge=None if model.hedge is None else Hedging(model.hedge, health.clock),
                cache=model.cache,
                guards=guard_set(model.guards),
                shadow=None if model.shadow is None else Shadowing(model.shadow),
                stages=tuple(stages[stage] for stage in model.stages),
            )
        )
    return routes


def _target(connected: Connected, section: TargetSection, health: HealthBook) -> Target:
    """Return a target of the configuration, with one of its provider's keys."""
    known = health.of(name_of(connected, section.model))
    return replace(
        target_of(connected, section.model, section.card, known),
        weight=section.weight,
        tier=section.tier,
        when=section.when,
        key=None if connected.key is None else key_of(health, connected.label),
    )
