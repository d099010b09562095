"""Our runner: an aiohttp application on a socket, bounded, and drained by a deadline of ours."""

import asyncio
import logging
import sys
from collections.abc import Collection
from typing import cast

from aiohttp import web
from aiohttp.http import HttpRequestParser

from gateway.config.listeners import Bounds
from gateway.transport.cork import Corks
from gateway.web.connections import Server
from gateway.web.protocol import Protocol
from gateway.web.terms import RenderError, Terms

_LOG = logging.getLogger(__name__)

# asyncio accepts up to `backlog` connections in one go, and when descriptors run out it logs and
# sets a timer for each of them (CPython #151615): 31 % CPU with 4096. The kernel's queue may still
# be long.
_ACCEPT_BATCH = 64
_UNLIMITED_CONNECTIONS = 65_536


class Runner(web.AppRunner):
    """Runs `app`: `start`, then `begin_drain` when the end is near, then `stop`.

    While draining it still accepts, so that probes are answered; each answer is the last one of its
    connection, and it is for the application to refuse what is not a probe. A handler is cancelled
    when its caller goes, which half a close is enough for.
    """

    __slots__ = ("_at_work", "_bounds", "_drain_s", "_render_error")

    def __init__(
        self, app: web.Application, bounds: Bounds, *, render_error: RenderError, drain_s: float
    ) -> None:
        """Take `drain_s` seconds for how long `stop` lets requests finish."""
        super().__init__(app)
        self._bounds = bounds
        self._render_error = render_error
        self._drain_s = drain_s
        self._at_work: Collection[Protocol] | None = None

    @property
    def requests_in_flight(self) -> int:
        """How many requests are being handled."""
        return 0 if self._server is None else self._ours.requests_in_flight

    @property
    def open_connections(self) -> int:
        """How many connections are open."""
        return 0 if self._server is None else self._ours.open_connections

    @property
    def is_draining(self) -> bool:
        """Whether `begin_drain` has been called."""
        return self._at_work is not None

    async def start(self, host: str, port: int, *, shares_port: bool = False) -> None:
        """Start the application and listen; `addresses` then tells where, for port 0 too.

        With `shares_port` other processes of this user may listen there too, and the system hands
        each connection to one of them.

        Raises `RuntimeError` when aiohttp runs without its C parser, `OSError` when the address
        cannot be had. The application is cleaned up again in both cases.
        """
        try:
            await self.setup()
            site = web.TCPSite(
                self, host, port, backlog=_ACCEPT_BATCH, reuse_port=shares_port or None
            )
            await site.start()
            for listener in cast("asyncio.Server", site._server).sockets:  # noqa: SLF001
                with listener.dup() as same:  # asyncio's wrapper has no listen(); a copy has.
                    same.listen(self._bounds.backlog)
        except BaseException:
            await self.stop()
            raise

    def begin_drain(self) -> None:
        """Send `Connection: close` from now on; nothing is refused or cut yet."""
        if self._server is not None and self._at_work is None:
            self._at_work = self._ours.begin_drain()

    async def stop(self) -> None:
        """Drain, close, and clean the application up.

        Requests that were in flight when draining began have `drain_s` seconds; meanwhile new ones
        are still taken. Then the listener goes, and later ones have what is left. At the deadline
        handlers are cancelled, and all connections are gone within half a second of it.
        `on_shutdown` runs first, for endless streams to end; the application's clean-up runs last,
        unbounded.
        """
        if self._server is not None:
            loop = asyncio.get_running_loop()
            deadline = loop.time() + self._drain_s
            self.begin_drain()
            await self._tell_application(deadline)
            await self._ours.finish(self._at_work or (), deadline)
            for site in list(self._sites):
                await site.stop()
            await self._ours.close(deadline)
            self._server = None
        await self._cleanup_server()

    async def cleanup(self) -> None:
        """Stop; the name that aiohttp's own helpers call."""
        await self.stop()

    @property
    def _ours(self) -> Server:
        return cast("Server", self._server)  # cast: `_make_server` makes nothing else.

    async def _make_server(self) -> Server:
        _demand_c_parser()
        stock = await super()._make_server()
        terms = Terms(
            bounds=self._bounds,
            render_error=self._render_error,
            logger=_LOG,
            corks=Corks(asyncio.get_running_loop()),
            max_connections=self._bounds.connections or _half_of_descriptors(),
        )
        return Server(stock, terms)

    async def _tell_application(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self.shutdown()
        except TimeoutError:
            _LOG.warning("on_shutdown did not end within %g s", self._drain_s)
        except Exception:  # noqa: BLE001  # Whatever an application does there, draining goes on.
            _LOG.exception("on_shutdown failed")


def _demand_c_parser() -> None:
    """Refuse aiohttp's parser in Python: most request smuggling on its record is in that alone."""
    if HttpRequestParser.__module__ != "aiohttp._http_parser":
        msg = (
            "aiohttp runs without its C parser, which is not safe on a network: unset "
            "AIOHTTP_NO_EXTENSIONS, or install aiohttp from a wheel for this platform"
        )
        raise RuntimeError(msg)


def _half_of_descriptors() -> int:
    """Return how many connections may be open: each may need a descriptor more, to an upstream."""
    if sys.platform == "win32":
        return _UNLIMITED_CONNECTIONS
    import resource  # noqa: PLC0415  # Windows has no such module.

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNLIMITED_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, soft // 2)
