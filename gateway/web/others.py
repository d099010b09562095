"""The other processes of this gateway, as its admin listener asks them."""

from typing import Protocol

from aiohttp import web

from gateway.schema.json import JsonObject
from gateway.web.explaining import Wish


class Others(Protocol):
    """All processes of this gateway, where there are several."""

    async def scrape(self) -> bytes:
        """Return the metrics of all, in Prometheus' text format."""

    async def readiness(self) -> tuple[bool, dict[str, object]]:
        """Return whether all take calls, and what is said of them."""

    async def explain(self, wish: Wish) -> JsonObject:
        """Return what a process would do with a request."""

    async def targets(self) -> list[JsonObject]:
        """Return how each process finds the targets."""


OTHERS = web.AppKey("others", Others)
