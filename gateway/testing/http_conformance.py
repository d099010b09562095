"""The suite that every `HttpClient` passes.

    from gateway.testing.http_conformance import BODY_BYTES, POOL, HttpConformance

    @pytest.fixture
    async def http_client() -> AsyncIterator[HttpClient]: ...

    class TestMine(HttpConformance):
        ...

The client of the fixture has `POOL` connections, a `read` bound of `BODY_BYTES`, and
`time.monotonic` for a clock. The other end is scripted byte by byte. Needs pytest with
pytest-asyncio.
"""

import pytest

from gateway.testing.http_answers import HttpAnswers
from gateway.testing.http_connections import HttpConnections
from gateway.testing.http_failures import HttpFailures
from gateway.testing.http_probe import BODY_BYTES, POOL

__all__ = ["BODY_BYTES", "POOL", "HttpConformance"]


class HttpConformance(HttpAnswers, HttpFailures, HttpConnections):
    """Inherit as `Test…` beside a fixture `http_client`."""

    pytestmark = pytest.mark.asyncio
