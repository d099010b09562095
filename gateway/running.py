"""A gateway of one process, from its start until it is told to stop."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Mapping

from gateway.app import open_gateway, render_error
from gateway.config.load import Loaded
from gateway.registry import ConfiguredProvider, Registry, configured_providers
from gateway.snapshots.triggers import on_hangup, reload_on, watch
from gateway.web.banner import banner
from gateway.web.server import Runner

_log = logging.getLogger("dynagate")
_GC_THRESHOLDS = (20_000, 50, 100)


def serve(loaded: Loaded) -> int:
    """Run until told to stop; return the exit code. Raises `ConfigError`."""
    registry = Registry.discover(loaded.document.plugins.allow)
    providers = configured_providers(loaded, registry)
    with asyncio.Runner(loop_factory=new_loop()) as runner:
        return runner.run(_serve(loaded, providers))


def new_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's loop where there is one; Windows and PyPy have asyncio's."""
    try:
        import uvloop  # noqa: PLC0415 - may be absent.
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(loaded: Loaded, providers: Mapping[str, ConfiguredProvider]) -> int:
    document = loaded.document
    bounds, server = document.server.bounds, document.server
    stopping, hangup = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    on_hangup(hangup, stopping)
    async with open_gateway(loaded, providers) as gateway:
        public = Runner(gateway.public, bounds, render_error=render_error, drain_s=server.drain_s)
        admin = Runner(gateway.admin, bounds, render_error=render_error, drain_s=1.0)
        try:
            await public.start(server.host, server.port)
            if document.admin.listen is not None:
                host, _, port = document.admin.listen.rpartition(":")
                await admin.start(host.strip("[]"), int(port))
        except OSError as error:
            await public.stop()
            _log.error("cannot listen: %s", error.strerror or error)
            return 1
        settle()
        sys.stdout.write(banner(document, public.addresses, gateway.serving))
        sys.stdout.flush()
        reloads, start = gateway.reloads, gateway.background.start
        start("reload on SIGHUP", reload_on(hangup, reloads))
        start("watch the file", watch(reloads))
        await stopping.wait()
        _log.info("stopping: calls under way have %g s", server.drain_s)
        gateway.serving.is_draining = True
        await public.stop()
        await admin.stop()
    return 0


def settle() -> None:
    """Spare the collector what start-up made: it lives for ever and need not be looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)
