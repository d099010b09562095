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

from gateway.app import Gateway, open_gateway, render_error
from gateway.config.problems import ConfigError
from gateway.crew.engines import Engines, Hosted, models_of
from gateway.crew.link import LinkError, listening
from gateway.crew.post import Post
from gateway.crew.reports import Told, Workers
from gateway.running import new_loop, settle
from gateway.snapshots.reloads import Providers, providers_of
from gateway.supervisor.changing import Changing
from gateway.supervisor.orders import Orders
from gateway.supervisor.words import receive
from gateway.web.admin_config import RELOADING
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
        orders: Orders = receive(channel)
    except (EOFError, OSError):
        return _FAILED
    if hasattr(signal, "SIGHUP"):  # It is for the supervisor, whoever else gets it.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ear = Ear(channel, orders.post)
    threading.Thread(target=ear.listen, name="hear the supervisor", daemon=True).start()
    try:
        providers = providers_of(orders.loaded)
        with asyncio.Runner(loop_factory=new_loop()) as runner:
            return runner.run(_run(orders, providers, ear))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return _WRONG
    except LinkError as error:
        _log.error("the process of what is run once cannot be reached: %s", error)
        return _FAILED


class Ear:
    """Hears the supervisor, in a thread: its end is heard whatever the loop is doing.

    `changing` is told what it says; that is nothing before the process is ready.
    """

    def __init__(self, channel: socket.socket, post: Post) -> None:
        self.channel = channel
        self.changing: Changing | None = None
        self._post = post

    def listen(self) -> None:
        """Pass on what is said; end this process when the supervisor has ended, however it did."""
        try:
            while True:
                word = receive(self.channel)
                if self.changing is not None:
                    self.changing.hear(word)
        except (EOFError, OSError):
            pass
        if self._post.is_host:  # The sockets' folder is the supervisor's, if it can still do it.
            shutil.rmtree(self._post.folder, ignore_errors=True)
        os._exit(_FAILED)


async def _run(orders: Orders, providers: Providers, ear: Ear) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with open_gateway(
        orders.loaded, providers, post=orders.post, standing=orders.standing
    ) as gateway:
        changing = ear.changing = Changing(gateway, orders.loaded, ear.channel)
        serve = _host if orders.post.is_host else _answer
        try:
            await serve(gateway, orders, changing, stopping)
        except OSError as error:
            _log.error("cannot listen: %s", error.strerror or error)
            return _FAILED
    return 0


async def _host(
    gateway: Gateway, orders: Orders, changing: Changing, stopping: asyncio.Event
) -> None:
    """Run what is run once, and the admin listener, until `stopping`."""
    document, post = gateway.document, orders.post
    gateway.admin[OTHERS] = Workers(post, gateway.serving.services.metrics)
    gateway.admin[RELOADING] = changing
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
            changing.ready("")
            await stopping.wait()
        finally:
            await admin.stop()


async def _answer(
    gateway: Gateway, orders: Orders, changing: Changing, stopping: asyncio.Event
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
        changing.ready(banner(document, public.addresses, serving))
        await stopping.wait()
        if post.speaks:
            _log.info("stopping: calls under way have %g s", server.drain_s)
        serving.is_draining = True
        await public.stop()


if __name__ == "__main__":
    sys.exit(main())
