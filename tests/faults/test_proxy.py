"""The proxy that breaks connections does what it is told."""

import aiohttp
import pytest

from gateway.testing.upstream import FakeUpstream
from tests.faults.proxy import faulty_proxy


async def test_without_a_fault_it_passes_everything(upstream: FakeUpstream) -> None:
    async with faulty_proxy(upstream.url) as proxy, aiohttp.ClientSession() as session:
        proxy.slice_bytes = 1
        async with session.get(f"{proxy.url}/v1/models") as answer:
            listed = await answer.json()

    assert listed["data"][0]["id"] == "fake"


async def test_it_resets_new_connections(upstream: FakeUpstream) -> None:
    async with faulty_proxy(upstream.url) as proxy, aiohttp.ClientSession() as session:
        proxy.fault = "reset"

        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(f"{proxy.url}/v1/models")

    assert upstream.accepted == 0
