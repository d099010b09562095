"""All connections of one listener: swept, counted, drained."""

import asyncio
from collections.abc import Collection
from typing import cast

from aiohttp import web

from gateway.web.protocol import Protocol
from gateway.web.terms import Terms

_SWEEP_S = 0.25
_POLL_S = 0.02
_GRACE_S = 0.4
"""How long cancelled handlers may take to clean up; with a poll on top it stays below 0.5 s."""


class Server(web.Server):
    """Makes the connections; a sweep over all of them stands in for a timer for each."""

    def __init__(self, stock: web.Server, terms: Terms) -> None:
        """Take over the handler of `stock`, the server that aiohttp made of an application."""
        loop = asyncio.get_running_loop()
        super().__init__(
            stock.request_handler,
            request_factory=stock.request_factory,
            handler_cancellation=True,
            loop=loop,
        )
        self._running_loop = loop
        self._terms = terms
        self._sweeper = loop.call_later(_SWEEP_S, self._sweep)

    def __call__(self) -> Protocol:
        """Return a new connection."""
        return Protocol(self, self._terms, loop=self._running_loop)

    @property
    def protocols(self) -> Collection[Protocol]:
        """Every connection, and those lost ones whose handlers still clean up."""
        # cast: `__call__` makes nothing else.
        return cast("list[Protocol]", self.connections)

    @property
    def open_connections(self) -> int:
        """How many sockets are open."""
        return self._terms.open_connections

    @property
    def requests_in_flight(self) -> int:
        """How many requests are being handled; counted when asked for."""
        return sum(protocol.is_busy for protocol in self.protocols)

    @property
    def is_draining(self) -> bool:
        """Whether each answer ends its connection."""
        return self._terms.is_draining

    def begin_drain(self) -> Collection[Protocol]:
        """Make the next answer on each connection its last; return the connections at work."""
        self._terms.is_draining = True
        for protocol in self.protocols:
            protocol.close_after_response()
        return [protocol for protocol in self.protocols if protocol.is_busy]

    async def finish(self, protocols: Collection[Protocol], deadline: float) -> None:
        """Return when none of `protocols` is at work, or at `deadline` (loop time)."""
        # A poll, at shut-down only: an event would cost something on every request.
        while any(protocol.is_busy for protocol in protocols):
            left_s = deadline - self._running_loop.time()
            if left_s <= 0:
                return
            await asyncio.sleep(min(_POLL_S, left_s))

    async def close(self, deadline: float) -> None:
        """Close what is idle, let the rest finish until `deadline` (loop time), then cancel it.

        Nothing may be listening any more. Returns at most half a second after `deadline`, whatever
        handlers do.
        """
        self._terms.max_connections = 0  # For those that were accepted and have not started yet.
        await asyncio.sleep(0)
        while self._close_idle():
            left_s = deadline - self._running_loop.time()
            if left_s <= 0:
                break
            await asyncio.sleep(min(_POLL_S, left_s))
        for protocol in self.protocols:
            protocol.cancel()
        await self.finish(self.protocols, self._running_loop.time() + _GRACE_S)
        for protocol in self.protocols:
            protocol.abort()
        self._sweeper.cancel()
        await asyncio.sleep(0)  # Lets the transports tell their protocols.

    def _close_idle(self) -> Collection[Protocol]:
        """Close the idle ones; return all that are left, unsent rests of answers included."""
        for protocol in self.protocols:
            if not protocol.is_busy:
                protocol.force_close()
        return self.protocols

    def _sweep(self) -> None:
        self._sweeper = self._running_loop.call_later(_SWEEP_S, self._sweep)
        now = self._running_loop.time()
        for protocol in self.protocols:
            protocol.sweep(now)
