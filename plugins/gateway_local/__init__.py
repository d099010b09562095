"""Models that run on this machine, without a key and without a network: `kind: local`.

Importing this package loads no model library: only the worker process does (`worker.py`).
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager

from gateway.sdk import Deps, ProviderKind, hookimpl
from gateway.sdk.workshop import Workshop
from gateway_local.catalogue import EMBED_ID, TRANSCRIBE_ID, catalogue
from gateway_local.engine import Engine
from gateway_local.making import Maker
from gateway_local.pictures import Seer
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
    rows = catalogue().by_id()
    vectors = rows[EMBED_ID].place(deps.cache_dir)
    hearing = rows[TRANSCRIBE_ID].place(deps.cache_dir).parent
    threads = settings.engine_threads
    workshop = Workshop(
        name="local",
        package="gateway_local.engines",
        idle_s=settings.engine_idle_s,
        memory_bytes=settings.engine_bytes,
        clock=deps.clock,
        log=deps.log,
        orders={
            "embed": {"path": str(vectors), "threads": threads},
            "look": {"threads": threads},
            "speech": {"threads": threads},
            "transcribe": {"folder": str(hearing), "threads": threads},
        },
    )
    stop = deps.background.start(f"engine of {deps.name}", engine.run())
    close = deps.background.start(f"workshop of {deps.name}", workshop.run())
    try:
        seer = Seer(workshop, context=settings.slot_context)
        yield Local(settings, shelf, engine, deps.http, maker=Maker(workshop), seer=seer)
    finally:
        stop()
        close()
        await engine.stopped()
        await workshop.stopped()


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
            once=True,
        )
    ]
