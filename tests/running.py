"""A whole gateway for tests: a configuration as text, connected, on loopback, on our own runner."""

import io
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gateway.app import Gateway, open_gateway, render_error
from gateway.config.load import load
from gateway.registry import Registry, configured_providers
from gateway.sdk.providers import Clock
from gateway.testing.server import GatewayServer


@dataclass(slots=True)
class Running:
    """A gateway that listens. `log` gathers its call lines."""

    gateway: Gateway
    public: GatewayServer
    admin: GatewayServer
    log: io.BytesIO

    @property
    def url(self) -> str:
        """Where callers reach it, without a trailing slash."""
        return str(self.public.make_url("")).rstrip("/")

    @property
    def admin_url(self) -> str:
        """Where its operator does."""
        return str(self.admin.make_url("")).rstrip("/")

    def lines(self) -> str:
        """Return the call log so far."""
        self.gateway.serving.services.log.flush()
        return self.log.getvalue().decode()


@cache
def _registry() -> Registry:
    """Return what is installed: it takes a third of a start, and no test changes it here."""
    return Registry.discover()


@asynccontextmanager
async def run_gateway(
    configuration: str,
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    drain_s: float = 0.5,
) -> AsyncGenerator[Running]:
    """Start a gateway on a free port from YAML text written into `folder`."""
    path = folder / "config.yaml"
    path.write_text(configuration, encoding="utf-8")
    own = {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state")}
    environ = {**own, **(environ or {})}
    loaded = load(path, environ)
    providers = configured_providers(loaded, _registry())
    log = io.BytesIO()
    async with open_gateway(loaded, providers, clock=clock, sink=log, environ=environ) as gateway:
        bounds = gateway.serving.bounds
        public = GatewayServer(gateway.public, bounds, render_error=render_error, drain_s=drain_s)
        admin = GatewayServer(gateway.admin, bounds, render_error=render_error, drain_s=drain_s)
        try:
            await public.start_server()
            await admin.start_server()
            yield Running(gateway, public, admin, log)
        finally:
            await public.close()
            await admin.close()
