"""Models that run on this machine, without a key and without a network: `kind: local`.

Importing this package loads no model library: only the worker process does (`worker.py`).
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from gateway.sdk import Deps, ProviderKind, hookimpl
from gateway_local.engine import Engine
from gateway_local.provider import Local
from gateway_local.pull import LocalWeights
from gateway_local.settings import LocalSettings
from gateway_local.shelf import Shelf


@asynccontextmanager
async def connect(settings: LocalSettings, deps: Deps) -> AsyncGenerator[Local]:
    """Start the worker in the background and hold it as long as this provider is in use.

    Entered at once: requests wait for the model while it loads. Left when the worker has ended.
    """
    shelf = Shelf(settings, deps.cache_dir)
    engine = Engine(settings, shelf, clock=deps.clock, log=deps.log)
    stop = deps.background.start(f"engine of {deps.name}", engine.run())
    try:
        yield Local(settings, shelf, engine, deps.http)
    finally:
        stop()
        await engine.stopped()


@hookimpl
def gateway_provider_kinds() -> Iterable[ProviderKind]:
    """Offer `kind: local`."""
    return [
        ProviderKind(
            name="local",
            settings=LocalSettings,
            connect=connect,
            missing=LocalSettings.missing,
            weights=LocalWeights(),
        )
    ]
