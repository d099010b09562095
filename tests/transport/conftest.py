"""A clock for the transports, and both event loops that the gateway runs on."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime

import pytest

from gateway.config.upstreams import ProviderHttp
from gateway.sdk.http import HttpClient
from gateway.sdk.providers import Clock
from gateway.testing.http_conformance import BODY_BYTES, POOL
from gateway.transport.client import connect_http

LOOPS = {"asyncio": asyncio.new_event_loop}
if sys.platform != "win32":
    import uvloop

    LOOPS["uvloop"] = uvloop.new_event_loop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run each test on both: their transports differ where connections end."""
    return LOOPS


class SystemClock:
    """The clock that the machine has."""

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def now(self) -> datetime:
        """The wall clock."""
        return datetime.now(UTC)


@pytest.fixture
def clock() -> SystemClock:
    """The system's."""
    return SystemClock()


@pytest.fixture
async def http_client(clock: Clock) -> AsyncIterator[HttpClient]:
    """The client that reaches upstreams."""
    settings = ProviderHttp(connections=POOL, body_bytes=BODY_BYTES)
    async with connect_http(settings, clock=clock) as client:
        yield client
