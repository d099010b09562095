"""One process of several: a worker that answers callers, or the host of what is run once.

Run as `python -m gateway.supervisor.member DESCRIPTOR`, with a socket to the supervisor. Exit codes
are those of `dynagate serve`.
"""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Mapping

from gateway.app import Gateway, open_gateway, render_error
from gateway.config.problems import ConfigError
from gateway.crew.engines import Engines, Hosted, models_of
from gateway.crew.link import LinkError, listening
from gateway.crew.post import Post
from gateway.crew.reports import Told, Workers
from gateway.registry import ConfiguredProvider, Registry, configured_providers
from gateway.running import new_loop, settle
from gateway.supervisor.orders import Orders, receive
from gateway.web.banner import banner
from gateway.web.others import OTHERS
from gateway.web.server import Runner

_FAILED, _WRONG = 1, 2
_ADMIN_DRAIN_S = 1.0
_log = logging.getLogger("dynagate")


def main() -> int:
    """Do as ordered until told to stop; return the exit code."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    try:
        orders = receive(channel)
    except (EOFError, OSError):
        return _FAILED
    name = "end with the supervisor"
    threading.Thread(target=_end_with, args=(channel, orders.post), name=name, daemon=True).start()
    loaded = orders.loaded
    try:
        registry = Registry.discover(loaded.document.plugins.allow)
        providers = configured_providers(loaded, registry)
        with asyncio.Runner(loop_factory=new_loop()) as runner:
            return runner.run(_run(orders, providers, channel))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return _WRONG
    except LinkError as error:
        _log.error("the process of what is run once cannot be reached: %s", error)
        return _FAILED


def _end_with(channel: socket.socket, post: Post) -> None:
    """End this process when the supervisor has, however it did and whatever the loop is doing."""
    try:
        while channel.recv(1):
            pass
    except OSError:
        pass
    if post.is_host:  # The sockets' folder is the supervisor's to remove, if it still can.
        shutil.rmtree(post.folder, ignore_errors=True)
    os._exit(_FAILED)


async def _run(
    orders: Orders, providers: Mapping[str, ConfiguredProvider], channel: socket.socket
) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with open_gateway(orders.loaded, providers, post=orders.post) as gateway:
        serve = _host if orders.post.is_host else _answer
        try:
            await serve(gateway, orders, channel, stopping)
        except OSError as error:
            _log.error("cannot listen: %s", error.strerror or error)
            return _FAILED
    return 0


async def _host(
    gateway: Gateway, orders: Orders, channel: socket.socket, stopping: asyncio.Event
) -> None:
    """Run what is run once, and the admin listener, until `stopping`."""
    document, post = gateway.document, orders.post
    gateway.admin[OTHERS] = Workers(post, gateway.serving.services.metrics)
    admin = Runner(
        gateway.admin, document.server.bounds, render_error=render_error, drain_s=_ADMIN_DRAIN_S
    )

    def find(provider: str, generation: int) -> Hosted | None:
        snapshot = gateway.snapshots.having(provider, generation)
        if snapshot is None:
            return None
        services = snapshot.services
        models = models_of(services.document, provider)
        return Hosted(snapshot.connected[provider], models, services.users)

    engines = Engines(find)
    async with listening(post.host_socket, engines.serve):
        try:
            if document.admin.listen is not None:
                host, _, port = document.admin.listen.rpartition(":")
                await admin.start(host.strip("[]"), int(port))
            settle()
            channel.sendall(b"\0")
            await stopping.wait()
        finally:
            await admin.stop()


async def _answer(
    gateway: Gateway, orders: Orders, channel: socket.socket, stopping: asyncio.Event
) -> None:
    """Answer callers until `stopping`, then drain."""
    document, post, serving = gateway.document, orders.post, gateway.serving
    server = document.server
    public = Runner(
        gateway.public, server.bounds, render_error=render_error, drain_s=server.drain_s
    )
    async with listening(post.worker_sockets[post.number], Told(serving).serve):
        await public.start(server.host, orders.port, shares_port=True)
        settle()
        channel.sendall(banner(document, public.addresses, serving).encode() + b"\0")
        await stopping.wait()
        if post.speaks:
            _log.info("stopping: calls under way have %g s", server.drain_s)
        serving.is_draining = True
        await public.stop()


if __name__ == "__main__":
    sys.exit(main())
